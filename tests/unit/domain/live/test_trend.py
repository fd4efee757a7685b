"""The last hour, minute by minute."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.live.model import TrendMinute
from domain.live.trend import filled, first_minute, joined, minute_of
from tests.world import START

NOW = START + timedelta(seconds=17)


def at(minutes_ago: int) -> datetime:
    return minute_of(NOW) - timedelta(minutes=minutes_ago)


def test_an_hour_ends_with_the_present_minute_and_has_sixty() -> None:
    series = filled([], first_minute(NOW), NOW, 5)
    assert len(series) == 60
    assert series[-1].minute == START
    assert {one.occupancy for one in series} == {5}


def test_minutes_without_scans_stay_as_the_one_before() -> None:
    counted = [TrendMinute(at(30), 3, 1, 7), TrendMinute(at(10), 0, 2, 5)]
    series = filled(counted, first_minute(NOW), NOW, 5)
    by_minute = {one.minute: one for one in series}
    assert by_minute[at(59)].occupancy == 5, "7 inside after 3 came and 1 left: 5 before"
    assert (by_minute[at(30)].entered, by_minute[at(30)].left) == (3, 1)
    assert by_minute[at(20)] == TrendMinute(at(20), 0, 0, 7)
    assert by_minute[at(5)].occupancy == 5


def test_the_present_minute_says_how_many_are_inside_whatever_scans_said() -> None:
    counted = [TrendMinute(at(0), 1, 0, 9)]
    assert filled(counted, at(0), NOW, 4) == (TrendMinute(at(0), 1, 0, 4),)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=8))
@settings(max_examples=50)
def test_reading_the_present_minute_again_and_again_gives_an_hour_without_gaps(steps: list[int]) -> None:
    now = NOW
    trend: tuple[TrendMinute, ...] = ()
    for seconds in steps:
        now += timedelta(seconds=seconds)
        known_to = trend[-1].minute if trend else None
        since = known_to if known_to == minute_of(now) else first_minute(now)
        trend = joined(trend, filled([], since, now, 1))
        minutes = [one.minute for one in trend]
        assert minutes == [first_minute(now) + timedelta(minutes=number) for number in range(60)]
