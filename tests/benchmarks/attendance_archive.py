"""Writes an archive of generated visits, with days as gyms have them, for `tests.benchmarks.attendance`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from deltalake import DeltaTable, write_deltalake

from domain.attendance.calendar import UTC_TIME, local_clock
from domain.attendance.model import GymCalendar
from integrations.archive.schema import DAY, VISITS

ZONES: Final = ("Europe/Zurich", "Europe/London", "America/New_York", "Australia/Sydney", "Asia/Kolkata")
OPEN_DAYS: Final = 3
"""The last days are not rewritten yet: an entry and an exit are two versions, and one in fifty came twice."""
FILES_OF_OPEN_DAYS: Final = 40
_BY_HOUR: Final = (0, 0, 0, 0, 0, 1, 4, 6, 5, 4, 3, 4, 5, 4, 3, 3, 5, 9, 10, 8, 5, 3, 1, 0)
_BY_WEEKDAY: Final = (1.25, 1.15, 1.1, 1.05, 0.9, 0.85, 0.7)
_US: Final = 1_000_000
_VISITS_PER_MEMBER: Final = 125


def generated_gyms(gyms: int, visits: int, days: int) -> list[GymCalendar]:
    """Gyms with room for a little less than their busiest hours need."""
    inside_at_six = visits / gyms / days * 0.16
    return [
        GymCalendar(f"0190{number:04x}-6d1c-7{number % 4096:03x}-8a5e-{number:012x}", ZONES[number % len(ZONES)], room)
        for number, room in enumerate(np.linspace(inside_at_six, 2.2 * inside_at_six, gyms).astype(int).tolist())
    ]


def write_archive(url: str, gyms: Sequence[GymCalendar], visits: int, first_day: date, days: int) -> None:
    """Write the visits of some days, one file for each day that is no longer open."""
    random = np.random.default_rng(1)
    table = DeltaTable.create(VISITS.url(url), VISITS.delta_schema, partition_by=[DAY])
    frames = []
    for number in range(days):
        day = first_day + timedelta(days=number)
        weight = _BY_WEEKDAY[day.weekday()] * (1 + 0.2 * np.cos(2 * np.pi * number / 365))
        frame = _day(random, gyms, int(visits / days * weight), day)
        if number >= days - OPEN_DAYS:
            _append_versions(url, frame)
            continue
        frames.append(VISITS.with_day(frame.filter(pl.col("entered_at").dt.date() >= first_day)))
        if len(frames) == 30 or number == days - OPEN_DAYS - 1:
            _append(table, pl.concat(frames))
            frames.clear()


def _append(table: DeltaTable, rows: pl.DataFrame) -> None:
    """One commit, with one file per UTC day: local days of all zones that fall on it are written together."""
    write_deltalake(table, rows.sort(DAY, "gym_id", "entered_at"), mode="append")


def _append_versions(url: str, frame: pl.DataFrame) -> None:
    entered = frame.with_columns(
        pl.lit(None, dtype=UTC_TIME).alias("left_at"),
        pl.lit(None, dtype=pl.String).alias("inferred"),
        source=pl.lit(1, dtype=pl.Int64),
        offset=pl.int_range(pl.len()) * 3,
        event_id=pl.concat_str(pl.lit("enter-"), "visit_id"),
    )
    left = frame.with_columns(
        source=pl.lit(1, dtype=pl.Int64),
        offset=pl.int_range(pl.len()) * 3 + 1,
        event_id=pl.concat_str(pl.lit("leave-"), "visit_id"),
    )
    repeated = entered.gather_every(50).with_columns(offset=pl.col("offset") + 2)
    rows = VISITS.with_day(pl.concat([entered, left, repeated]).sort("offset"))
    size = -(-rows.height // FILES_OF_OPEN_DAYS)
    for begin in range(0, rows.height, size):
        write_deltalake(VISITS.url(url), rows.slice(begin, size), mode="append")


def _day(random: np.random.Generator, gyms: Sequence[GymCalendar], visits: int, day: date) -> pl.DataFrame:
    """Visits that begin on a day by each gym's clock."""
    weights = np.linspace(0.5, 1.5, len(gyms))
    gym = np.sort(random.choice(len(gyms), visits, p=weights / weights.sum()))
    hours = np.array(_BY_HOUR, dtype=float)
    local_us = (random.choice(24, visits, p=hours / hours.sum()) * 3600 + random.random(visits) * 3600) * _US
    offsets = np.array([_offset_us(zone, day) for zone in ZONES])[gym % len(ZONES)]
    midnight = int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) * _US
    entered = midnight + local_us.astype(np.int64) - offsets
    lasts = (random.gamma(6, 12 * 60, visits) * _US).astype(np.int64)
    is_forgotten = random.random(visits) < 0.02
    lasts[is_forgotten] = 6 * 3600 * _US
    members_per_gym = max(10, visits * 731 // _VISITS_PER_MEMBER // len(gyms))
    # Some come often and some hardly ever.
    member = (random.random(visits) ** 1.7 * members_per_gym).astype(np.int64)
    key = ((gym.astype(np.int64) * members_per_gym + member + 1) * 6_364_136_223_846_793_005) & ((1 << 62) - 1)
    ids = random.integers(0, 1 << 62, visits)
    return pl.DataFrame(
        {
            "gym": gym,
            "member_key": key,
            "entered_at": entered,
            "left_at": entered + lasts,
            "is": is_forgotten,
            "id": ids,
        }
    ).select(
        source=pl.lit(0, dtype=pl.Int64),
        partition=pl.lit(0, dtype=pl.Int32),
        offset=pl.lit(0, dtype=pl.Int64),
        event_id=pl.lit(None, dtype=pl.String),
        annulled=pl.lit(value=False),
        visit_id=pl.concat_str(
            pl.lit(f"{day:%Y%m%d}-0000-7"),
            pl.col("id").cast(pl.String).str.zfill(19),
            pl.int_range(pl.len()).cast(pl.String),
        ),
        gym_id=pl.col("gym").replace_strict(list(range(len(gyms))), [gym.gym_id for gym in gyms]),
        member_key="member_key",
        entered_at=pl.col("entered_at").cast(UTC_TIME),
        left_at=pl.col("left_at").cast(UTC_TIME),
        inferred=pl.when("is").then(pl.lit("forgotten")),
    )


def _offset_us(zone: str, day: date) -> int:
    noon = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    spans = local_clock(zone, day, day).spans
    return next(span.offset for span in reversed(spans) if span.begins_at <= noon) // timedelta(microseconds=1)
