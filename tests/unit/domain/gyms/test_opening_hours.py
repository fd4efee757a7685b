"""When a gym is open, the nights on which clocks change included."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.gyms.opening_hours import OpeningException, OpeningHours, change_after, closing_after, is_open

BERLIN = "Europe/Berlin"
ZONE = ZoneInfo(BERLIN)
MONDAY, SATURDAY, SUNDAY = 0, 5, 6
SECOND = timedelta(seconds=1)


def local(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def test_a_gym_without_hours_is_always_open() -> None:
    assert is_open([], [], BERLIN, local(2, 3))


def test_the_hours_are_half_open_in_the_gym_s_own_zone() -> None:
    hours = [OpeningHours(MONDAY, 6 * 60, 22 * 60)]
    assert not is_open(hours, [], BERLIN, local(2, 5, 59))
    assert is_open(hours, [], BERLIN, local(2, 6))
    assert is_open(hours, [], BERLIN, local(2, 21, 59))
    assert not is_open(hours, [], BERLIN, local(2, 22))
    assert not is_open(hours, [], BERLIN, local(3, 12))


def test_a_span_past_midnight_belongs_to_the_day_it_began() -> None:
    hours = [OpeningHours(MONDAY, 20 * 60, 26 * 60)]
    assert is_open(hours, [], BERLIN, local(3, 1, 59))
    assert not is_open(hours, [], BERLIN, local(3, 2))
    assert not is_open(hours, [], BERLIN, local(2, 1))


def test_a_gym_open_round_the_clock_has_no_gap_at_midnight() -> None:
    hours = [OpeningHours(day, 0, 24 * 60) for day in range(7)]
    assert is_open(hours, [], BERLIN, local(3, 0))
    assert is_open(hours, [], BERLIN, local(2, 23, 59))


def test_on_the_night_of_summer_time_the_wall_clock_decides() -> None:
    # 29 March 2026: 02:00 becomes 03:00; the gym that closes at six closes when the wall says six.
    hours = [OpeningHours(SATURDAY, 22 * 60, 30 * 60)]
    assert is_open(hours, [], BERLIN, local(29, 5, 59))
    assert not is_open(hours, [], BERLIN, local(29, 6))


def test_on_the_night_of_winter_time_the_wall_clock_decides() -> None:
    hours = [OpeningHours(SATURDAY, 22 * 60, 30 * 60), OpeningHours(SUNDAY, 10 * 60, 12 * 60)]
    assert is_open(hours, [], BERLIN, local(25, 5, 59, month=10))
    assert not is_open(hours, [], BERLIN, local(25, 6, month=10))
    assert is_open(hours, [], BERLIN, local(25, 10, month=10))


def test_a_span_that_ends_in_the_hour_that_is_left_out_ends_when_the_clock_jumps() -> None:
    hours = [OpeningHours(SATURDAY, 22 * 60, 26 * 60 + 30), OpeningHours(SUNDAY, 2 * 60 + 45, 4 * 60)]
    jump = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert is_open(hours[:1], [], BERLIN, jump - SECOND)
    assert not is_open(hours[:1], [], BERLIN, jump)
    assert closing_after(hours[:1], [], BERLIN, jump - SECOND) == jump
    assert is_open(hours[1:], [], BERLIN, jump), "02:45 is past when the wall shows 03:00"
    assert not is_open(hours[1:], [], BERLIN, jump - SECOND)


def test_an_hour_that_comes_twice_is_one_long_hour() -> None:
    hours = [OpeningHours(SUNDAY, 2 * 60, 3 * 60)]
    opens = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert change_after(hours, [], BERLIN, opens - SECOND) == opens
    assert closing_after(hours, [], BERLIN, opens) == opens + timedelta(hours=2)


def test_what_is_said_of_a_day_stands_in_place_of_its_weekday() -> None:
    hours = [OpeningHours(day, 6 * 60, 22 * 60) for day in range(7)]
    monday = date(2026, 3, 2)
    assert not is_open(hours, [OpeningException(monday, None, None)], BERLIN, local(2, 12))
    short = [OpeningException(monday, 10 * 60, 12 * 60), OpeningException(monday, 14 * 60, 15 * 60)]
    assert [is_open(hours, short, BERLIN, local(2, hour)) for hour in (9, 10, 13, 14, 16)] == [
        *(False, True, False, True, False)
    ]
    assert is_open(hours, short, BERLIN, local(3, 9)), "the day after is as ever"


def test_a_day_that_is_closed_does_not_end_the_night_before() -> None:
    hours = [OpeningHours(MONDAY, 20 * 60, 26 * 60)]
    closed = [OpeningException(date(2026, 3, 3), None, None)]
    assert is_open(hours, closed, BERLIN, local(3, 1))


def test_a_gym_without_hours_is_closed_on_a_day_that_is_said_to_be() -> None:
    closed = [OpeningException(date(2026, 12, 25), None, None, "Christmas")]
    assert is_open([], closed, BERLIN, local(24, 23, 59, month=12))
    assert not is_open([], closed, BERLIN, local(25, 0, month=12))
    assert is_open([], closed, BERLIN, local(26, 0, month=12))
    assert closing_after([], closed, BERLIN, local(2, 12)) == local(25, 0, month=12)
    assert closing_after([], closed, BERLIN, local(26, 0, month=12)) is None


def test_a_gym_that_is_open_round_the_clock_never_closes() -> None:
    assert closing_after([], [], BERLIN, local(2, 12)) is None
    hours = [OpeningHours(day, 0, 24 * 60) for day in range(7)]
    assert closing_after(hours, [], BERLIN, local(28, 12)) is None
    assert change_after(hours, [], BERLIN, local(28, 12)) is None


def test_who_is_inside_after_closing_sees_the_next_day_s_closing() -> None:
    hours = [OpeningHours(day, 6 * 60, 22 * 60) for day in range(7)]
    assert closing_after(hours, [], BERLIN, local(2, 21)) == local(2, 22)
    assert closing_after(hours, [], BERLIN, local(2, 22)) == local(3, 22)
    assert change_after(hours, [], BERLIN, local(2, 22)) == local(3, 6)


def test_a_gym_open_one_day_a_week_closes_on_that_day() -> None:
    hours = [OpeningHours(MONDAY, 6 * 60, 22 * 60)]
    assert closing_after(hours, [], BERLIN, local(3, 12)) == local(9, 22)
