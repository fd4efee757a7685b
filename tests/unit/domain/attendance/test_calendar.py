import itertools
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attendance.calendar import (
    UTC_TIME,
    day_begins_at,
    five_minutes,
    hours,
    local_clock,
    months_between,
    offset_spans,
)
from tests.unit.domain.attendance.by_hand import hours_by_hand

_CHANGES = [
    ("Europe/Zurich", date(2026, 3, 29), 23.0),
    ("Europe/Zurich", date(2026, 10, 25), 25.0),
    ("Australia/Sydney", date(2026, 10, 4), 23.0),
    ("Australia/Sydney", date(2026, 4, 5), 25.0),
    ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ("Asia/Kolkata", date(2026, 3, 29), 24.0),
    ("America/Havana", date(2026, 3, 8), 23.0),  # the clock skips midnight
    ("America/Havana", date(2026, 11, 1), 25.0),  # the first hour occurs twice
    ("Asia/Beirut", date(2026, 3, 29), 23.0),  # the clock skips midnight
    ("Asia/Kathmandu", date(2026, 5, 1), 24.0),  # 5:45 from UTC
]


@pytest.mark.parametrize(("zone", "day", "length"), _CHANGES)
def test_a_day_has_the_hours_that_the_clock_shows(zone: str, day: date, length: float) -> None:
    found = hours(zone, day, day)

    assert (found["ends_at"] - found["starts_at"]).sum() == timedelta(hours=length)
    by_hand = [(hour.day, hour.hour, hour.starts_at, hour.ends_at) for hour in hours_by_hand(zone, day, day)]
    assert found.rows() == by_hand


def test_an_hour_that_occurs_twice_is_two_hours() -> None:
    found = hours("Europe/Zurich", date(2026, 10, 25), date(2026, 10, 25))

    assert Counter(found["hour"].to_list())[2] == 2
    assert 2 not in hours("Europe/Zurich", date(2026, 3, 29), date(2026, 3, 29))["hour"].to_list()


def test_lord_howe_has_an_hour_of_thirty_minutes_on_each_change() -> None:
    for day in (date(2026, 10, 4), date(2026, 4, 5)):
        found = hours("Australia/Lord_Howe", day, day)
        lengths = (found["ends_at"] - found["starts_at"]).to_list()
        assert [length for length in lengths if length != timedelta(hours=1)] == [timedelta(minutes=30)]


def test_hours_stop_at_the_present() -> None:
    now = datetime(2026, 5, 1, 10, 20, tzinfo=UTC)
    found = hours("UTC", date(2026, 5, 1), date(2026, 5, 2), now)

    assert found.height == 11
    assert found["ends_at"][-1] == now
    assert hours("UTC", date(2026, 5, 2), date(2026, 5, 2), now).is_empty()


def test_five_minutes_of_a_day_of_25_hours() -> None:
    assert five_minutes("Europe/Zurich", date(2026, 10, 25)).height == 300


@pytest.mark.parametrize(("zone", "day", "_length"), _CHANGES)
def test_the_clock_agrees_with_the_list_of_hours(zone: str, day: date, _length: float) -> None:
    clock = local_clock(zone, day, day)
    listed = hours(zone, day, day)
    middles = listed.select(
        "day", "hour", "starts_at", "ends_at", at=pl.col("starts_at") + (pl.col("ends_at") - pl.col("starts_at")) / 2
    )

    at = pl.col("at")
    computed = middles.select(
        day=clock.day(at), hour=clock.hour(at), starts_at=clock.hour_begins_at(at), ends_at=clock.hour_ends_at(at)
    )
    assert computed.equals(listed)


@given(
    zone=st.sampled_from(["Europe/Zurich", "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns", "Africa/Cairo"]),
    at=st.integers(0, 4 * 366 * 24 * 60).map(
        lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
)
def test_local_day_and_hour_are_those_of_the_time_zone(zone: str, at: datetime) -> None:
    local = at.astimezone(ZoneInfo(zone))
    clock = local_clock(zone, local.date(), local.date())
    frame = pl.DataFrame({"at": [at]}, schema={"at": UTC_TIME})

    assert frame.select(clock.day(pl.col("at")), hour=clock.hour(pl.col("at"))).row(0) == (local.date(), local.hour)


def test_spans_of_offsets_have_no_gaps() -> None:
    begin, end = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    spans = offset_spans("Europe/Zurich", begin, end)

    assert len(spans) == 5
    assert [spans[0].begins_at, spans[-1].ends_at] == [begin, end]
    assert all(one.ends_at == other.begins_at for one, other in itertools.pairwise(spans))
    assert spans[1].begins_at == datetime(2025, 3, 30, 1, tzinfo=UTC)


def test_a_day_begins_when_the_clock_first_shows_its_date() -> None:
    assert day_begins_at("Europe/Zurich", date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert day_begins_at("Asia/Kolkata", date(2026, 7, 1)) == datetime(2026, 6, 30, 18, 30, tzinfo=UTC)
    assert day_begins_at("America/Havana", date(2026, 3, 8)) == datetime(2026, 3, 8, 5, tzinfo=UTC)


def test_months_of_some_days() -> None:
    assert list(months_between(date(2026, 1, 15), date(2026, 3, 2))) == [
        (date(2026, 1, 15), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2026, 3, 2)),
    ]
