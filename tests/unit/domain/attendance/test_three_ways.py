"""The same figures counted by hand, by SQL in the database, and by the batch from the archive."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import polars as pl
import pytest
from sqlalchemy import Connection, insert, text

from deployments.attendance.plan import FigureRequest
from domain.attendance.calendar import day_begins_at
from domain.attendance.model import FigureTable, GymCalendar
from domain.door.tables import visits
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.figure_store import FigureStore
from tests.stores import sqlite_store
from tests.unit.domain.attendance.archive_writer import ArchiveWriter, VisitState, computed
from tests.unit.domain.attendance.by_hand import (
    HandHour,
    HandVisit,
    gym_hours_by_hand,
    hours_by_hand,
    member_days_by_hand,
)

_COLUMNS = ["starts_at", "entries", "exits", "inside_us"]
_SQL = """
WITH moments AS (
  SELECT CAST(strftime('%s', entered_at) AS INTEGER) * 1000000 + CAST(substr(entered_at, 21, 6) AS INTEGER) AS entered,
    CAST(strftime('%s', left_at) AS INTEGER) * 1000000 + CAST(substr(left_at, 21, 6) AS INTEGER) AS ended
  FROM visits WHERE gym_id = :gym AND annulled_at IS NULL)
SELECT hours.starts_at, sum(entered >= hours.starts_at AND entered < hours.ends_at),
  sum(ended IS NOT NULL AND ended >= hours.starts_at AND ended < hours.ends_at),
  sum(max(0, min(coalesce(ended, :as_of), hours.ends_at) - max(entered, hours.starts_at)))
FROM hours LEFT JOIN moments ON entered < hours.ends_at AND coalesce(ended, :as_of) >= hours.starts_at
GROUP BY hours.starts_at ORDER BY hours.starts_at
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return sqlite_store(tmp_path_factory.mktemp("database"))


@pytest.mark.parametrize(
    ("zone", "first_day", "last_day"),
    [
        ("Europe/Zurich", date(2026, 3, 28), date(2026, 4, 2)),
        ("Europe/Zurich", date(2026, 10, 24), date(2026, 11, 1)),
        ("Australia/Lord_Howe", date(2026, 4, 3), date(2026, 4, 6)),
        ("Asia/Kolkata", date(2026, 10, 30), date(2026, 11, 2)),
    ],
)
def test_by_hand_by_sql_and_by_the_batch(
    store: Store, tmp_path: Path, zone: str, first_day: date, last_day: date
) -> None:
    gym_id = new_id()
    as_of = day_begins_at(zone, last_day) + timedelta(hours=9, minutes=13)
    standing = _random_visits(gym_id, day_begins_at(zone, first_day), as_of)
    counting = [
        HandVisit(visit.gym_id, visit.entered_at, visit.left_at, visit.member_key, visit.inferred)
        for visit in standing
        if not visit.annulled
    ]
    gym = GymCalendar(str(gym_id), zone, 3)
    hours = hours_by_hand(zone, first_day, last_day, as_of)

    by_hand = list(gym_hours_by_hand(counting, gym.gym_id, gym.capacity, hours))
    with store.writing() as connection:
        by_sql = _by_sql(connection, gym_id, standing, hours, as_of)
    writer = ArchiveWriter(tmp_path / "archive")
    writer.append([_opened(visit) for visit in standing])
    writer.append(standing)
    tables = frozenset({FigureTable.GYM_HOURS, FigureTable.MEMBER_DAYS, FigureTable.STAYS})
    stored = FigureStore(str(tmp_path / "figures"))
    _, batch = computed(FigureRequest(writer.url, stored, tables, (gym,), first_day, last_day, as_of))
    wanted = pl.col("day").is_between(first_day, last_day)
    by_batch = batch[FigureTable.GYM_HOURS].filter(wanted).sort("starts_at")

    assert by_batch.select("day", "hour", "entries", "exits", "inside_us").rows() == [
        (row[0], row[1], row[3], row[4], row[5]) for row in by_hand
    ]
    assert by_batch.select(pl.col("starts_at").dt.epoch("us"), *_COLUMNS[1:]).rows() == by_sql
    days = batch[FigureTable.MEMBER_DAYS].filter(wanted)
    members = {(row["gym_id"], row["member_key"], row["day"]): row["visits"] for row in days.iter_rows(named=True)}
    assert members == {
        key: count for key, count in member_days_by_hand(counting, zone).items() if first_day <= key[2] <= last_day
    }


def _random_visits(gym_id: UUID, begin: datetime, as_of: datetime) -> list[VisitState]:
    numbers = random.Random(7)  # noqa: S311 - the same visits each time
    found = []
    for _ in range(60):
        entered = begin + (as_of - begin) * numbers.uniform(-0.1, 1)
        left = entered + timedelta(
            minutes=numbers.choice([0, 20, 70, 200, 1500]), microseconds=numbers.randrange(10**6)
        )
        inferred = numbers.choice([None, None, None, "forgotten"])
        is_annulled = numbers.random() < 0.1
        end = left if left < as_of else None
        found.append(
            VisitState(
                str(new_id()), str(gym_id), entered, end, numbers.choice([None, 1, 2, 3]),
                inferred if end is not None else None, is_annulled,
            )
        )  # fmt: skip
    return found


def _opened(visit: VisitState) -> VisitState:
    return VisitState(visit.visit_id, visit.gym_id, visit.entered_at, None, visit.member_key)


def _by_sql(
    connection: Connection, gym_id: UUID, standing: Sequence[VisitState], hours: Sequence[HandHour], as_of: datetime
) -> list[tuple[int, int, int, int]]:
    rows = [
        {
            "id": UUID(visit.visit_id),
            "gym_id": gym_id,
            "entered_at": visit.entered_at,
            "left_at": visit.left_at,
            "inferred": visit.inferred,
            "annulled_at": as_of if visit.annulled else None,
        }
        for visit in standing
    ]
    connection.execute(insert(visits), rows)
    connection.execute(text("CREATE TEMP TABLE IF NOT EXISTS hours (starts_at INTEGER, ends_at INTEGER)"))
    connection.execute(text("DELETE FROM hours"))
    spans = [{"b": _us(hour.starts_at), "e": _us(hour.ends_at)} for hour in hours]
    connection.execute(text("INSERT INTO hours VALUES (:b, :e)"), spans)
    found = connection.execute(text(_SQL), {"gym": gym_id.bytes, "as_of": _us(as_of)})
    return [(row[0], row[1] or 0, row[2] or 0, row[3] or 0) for row in found]


def _us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
