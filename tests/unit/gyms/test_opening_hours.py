"""When a gym is open, the nights on which clocks change included."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.gyms.opening_hours import OpeningHours, is_open

BERLIN = "Europe/Berlin"
ZONE = ZoneInfo(BERLIN)
MONDAY, SATURDAY, SUNDAY = 0, 5, 6


def local(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def test_a_gym_without_hours_is_always_open() -> None:
    assert is_open([], BERLIN, local(2, 3))


def test_the_hours_are_half_open_in_the_gym_s_own_zone() -> None:
    hours = [OpeningHours(MONDAY, 6 * 60, 22 * 60)]
    assert not is_open(hours, BERLIN, local(2, 5, 59))
    assert is_open(hours, BERLIN, local(2, 6))
    assert is_open(hours, BERLIN, local(2, 21, 59))
    assert not is_open(hours, BERLIN, local(2, 22))
    assert not is_open(hours, BERLIN, local(3, 12))


def test_a_span_past_midnight_belongs_to_the_day_it_began() -> None:
    hours = [OpeningHours(MONDAY, 20 * 60, 26 * 60)]
    assert is_open(hours, BERLIN, local(3, 1, 59))
    assert not is_open(hours, BERLIN, local(3, 2))
    assert not is_open(hours, BERLIN, local(2, 1))


def test_a_gym_open_round_the_clock_has_no_gap_at_midnight() -> None:
    hours = [OpeningHours(day, 0, 24 * 60) for day in range(7)]
    assert is_open(hours, BERLIN, local(3, 0))
    assert is_open(hours, BERLIN, local(2, 23, 59))


def test_on_the_night_of_summer_time_the_wall_clock_decides() -> None:
    # 29 March 2026: 02:00 becomes 03:00; the gym that closes at six closes when the wall says six.
    hours = [OpeningHours(SATURDAY, 22 * 60, 30 * 60)]
    assert is_open(hours, BERLIN, local(29, 5, 59))
    assert not is_open(hours, BERLIN, local(29, 6))


def test_on_the_night_of_winter_time_the_wall_clock_decides() -> None:
    hours = [OpeningHours(SATURDAY, 22 * 60, 30 * 60), OpeningHours(SUNDAY, 10 * 60, 12 * 60)]
    assert is_open(hours, BERLIN, local(25, 5, 59, month=10))
    assert not is_open(hours, BERLIN, local(25, 6, month=10))
    assert is_open(hours, BERLIN, local(25, 10, month=10))
