from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.door.model import PassStatus
from domain.passes import good_from, good_until, issue_times, member_of, status_of, subject_of

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone


@given(moments, st.integers(1, 40))
def test_codes_are_issued_every_15_s_from_the_one_that_is_good_now(now: datetime, count: int) -> None:
    times = issue_times(now, count)
    assert len(times) == count
    assert all(time.timestamp() % 15 == 0 for time in times)
    assert timedelta(0) <= now - times[0] < timedelta(seconds=15)
    assert {later - earlier for earlier, later in pairwise(times)} <= {timedelta(seconds=15)}
    assert status_of(times[0], now) is PassStatus.VALID


@given(moments, st.floats(-300, 300))
def test_a_code_is_good_from_10_s_before_to_45_s_after_its_issue_time(issued_at: datetime, seconds: float) -> None:
    arrived_at = issued_at + timedelta(seconds=seconds)
    good = good_from(issued_at) <= arrived_at <= good_until(issued_at)
    assert (status_of(issued_at, arrived_at) is PassStatus.VALID) == good


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        (-10.000001, PassStatus.STALE),
        (-10, PassStatus.VALID),
        (0, PassStatus.VALID),
        (45, PassStatus.VALID),
        (45.000001, PassStatus.STALE),
    ],
)
def test_the_bounds_of_a_code_count_as_good(seconds: float, status: PassStatus) -> None:
    assert status_of(NOON, NOON + timedelta(seconds=seconds)) is status


def test_codes_for_ten_minutes_ahead_are_the_most() -> None:
    assert issue_times(NOON, 40)[-1] == NOON + timedelta(minutes=9, seconds=45)
    for count in (0, -1, 41):
        with pytest.raises(ValueError, match="between 1 and 40"):
            issue_times(NOON, count)


@given(moments)
def test_the_zone_that_now_is_told_in_does_not_matter(now: datetime) -> None:
    assert issue_times(now.astimezone()) == issue_times(now)


@given(st.uuids())
def test_a_subject_is_22_characters_and_names_its_member(member_id: UUID) -> None:
    subject = subject_of(member_id)
    assert len(subject) == 22
    assert member_of(subject) == member_id


@given(
    st.text() | st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=", min_size=22, max_size=22)
)
def test_what_is_not_written_exactly_as_a_subject_names_nobody(text: str) -> None:
    try:
        member_id = member_of(text)
    except ValueError:
        return
    assert subject_of(member_id) == text
