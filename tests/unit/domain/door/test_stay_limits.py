"""When a visit counts as forgotten."""

from datetime import UTC, date, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.door.visit_rules import StayLimits
from domain.gyms.opening_hours import OpeningException, OpeningHours, closing_after, is_open
from domain.gyms.timetable import Timetable

DAYS = st.dates(date(2026, 3, 20), date(2026, 4, 5)) | st.dates(date(2026, 10, 20), date(2026, 11, 5))
MOMENTS = st.builds(
    lambda day, minute: datetime.combine(day, time(), UTC) + timedelta(minutes=minute), DAYS, st.integers(0, 1439)
)
WEEK = st.lists(
    st.builds(
        lambda day, opens, length: OpeningHours(day, opens, min(opens + length, 2879)),
        st.integers(0, 6),
        st.integers(0, 1439),
        st.integers(1, 1200),
    ),
    max_size=6,
)
CLOSED = st.lists(st.builds(lambda day: OpeningException(day, None, None), DAYS), max_size=2)
LIMITS = st.builds(
    lambda visit_h, grace_m, hours, closed: StayLimits(
        timedelta(hours=visit_h),
        timedelta(minutes=grace_m),
        timedelta(hours=2),
        "Europe/Berlin",
        Timetable(tuple(hours), tuple(closed)),
    ),
    st.integers(1, 48),
    st.integers(0, 120),
    WEEK,
    CLOSED,
)


@settings(max_examples=60)
@given(LIMITS, MOMENTS, st.integers(0, 3000))
def test_a_visit_is_over_within_the_longest_visit_and_a_later_one_not_earlier(
    limits: StayLimits, entered_at: datetime, later_minutes: int
) -> None:
    over_at = limits.visit_over_at(entered_at)
    assert entered_at < over_at <= entered_at + limits.longest_visit
    assert over_at <= limits.visit_over_at(entered_at + timedelta(minutes=later_minutes))


@settings(max_examples=60)
@given(LIMITS, MOMENTS)
def test_no_visit_is_over_while_its_gym_stays_open(limits: StayLimits, entered_at: datetime) -> None:
    hours, exceptions = limits.timetable.hours, limits.timetable.exceptions
    over_at = limits.visit_over_at(entered_at)
    if over_at < entered_at + limits.longest_visit:
        closing = closing_after(hours, exceptions, limits.time_zone, entered_at)
        assert closing is not None
        assert over_at == closing + limits.grace_after_closing
        assert not is_open(hours, exceptions, limits.time_zone, closing)
