"""What scans without the server amount to does not depend on the order in which they are known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.door.model import Conflict, Direction, Inferred
from domain.door.state import OpenVisit
from domain.door.timeline import End, OfflineEntry, Timeline, occurred_at, replay

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HERE, THERE, GATE, DEVICE = uuid4(), uuid4(), uuid4(), uuid4()
ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


def entry(minute: int, direction: Direction, gym: UUID = HERE, issued: int | None = None) -> OfflineEntry:
    moment = NOW + timedelta(minutes=minute)
    issued_at = NOW + timedelta(minutes=minute if issued is None else issued)
    return OfflineEntry(uuid4(), (str(uuid4()), DEVICE), gym, GATE, direction, moment, issued_at)


def shape(timeline: Timeline) -> object:
    begun = [(visit.entry.id, visit.end) for visit in timeline.visits]
    return begun, timeline.earlier_ends, sorted(timeline.conflicts.items())


def test_an_entry_and_an_exit_are_a_visit() -> None:
    came, went = entry(0, ENTER), entry(60, LEAVE)
    timeline = replay(None, (), [went, came])
    assert shape(timeline) == ([(came.id, End(went.occurred_at, went.id, None))], None, [])


def test_an_exit_ends_the_visit_that_was_open_before() -> None:
    went = entry(5, LEAVE)
    timeline = replay(OpenVisit(uuid4(), HERE, NOW), (), [went])
    assert timeline.earlier_ends == End(went.occurred_at, went.id, None)


def test_an_exit_from_where_one_is_not_fits_nowhere() -> None:
    went = entry(5, LEAVE)
    timeline = replay(OpenVisit(uuid4(), THERE, NOW), (), [went])
    assert (timeline.earlier_ends, timeline.conflicts) == (None, {went.id: Conflict.NOT_INSIDE})


def test_an_entry_elsewhere_ends_the_visit_here() -> None:
    came, moved = entry(0, ENTER), entry(30, ENTER, THERE)
    timeline = replay(None, (), [came, moved])
    assert timeline.visits[0].end == End(moved.occurred_at, moved.id, Inferred.ENTERED_ELSEWHERE)
    assert timeline.visits[1].end is None
    assert timeline.conflicts == {}


def test_entering_twice_is_listed_and_begins_anew() -> None:
    came, again = entry(0, ENTER), entry(30, ENTER)
    timeline = replay(None, (), [came, again])
    assert timeline.visits[0].end == End(again.occurred_at, again.id, Inferred.ENTERED_AGAIN)
    assert timeline.conflicts == {again.id: Conflict.ALREADY_INSIDE}


@pytest.mark.parametrize("known", [True, False])
def test_a_code_admits_once(known: bool) -> None:  # noqa: FBT001 - a case
    came, copied = entry(0, ENTER), entry(1, ENTER, THERE, issued=0)
    timeline = replay(None, [came.issued_at] if known else [], [came, copied] if not known else [copied])
    assert timeline.conflicts == {copied.id: Conflict.USED_PASS}


@pytest.mark.parametrize(
    ("said_s", "expected_s"),
    [(0, 0), (44, 44), (3600, 45), (-3600, -10), (None, 0)],
)
def test_a_device_clock_is_believed_within_the_time_of_the_code(said_s: int | None, expected_s: int) -> None:
    said = None if said_s is None else NOW + timedelta(seconds=said_s)
    assert occurred_at(said, NOW, NOW + timedelta(hours=2)) == NOW + timedelta(seconds=expected_s)


def test_a_scan_was_made_before_it_was_uploaded() -> None:
    assert occurred_at(NOW + timedelta(hours=1), None, NOW) == NOW


entries = st.lists(
    st.builds(
        entry,
        st.integers(0, 12),
        st.sampled_from([ENTER, LEAVE]),
        st.sampled_from([HERE, THERE]),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=8,
)


@settings(max_examples=80)
@given(entries, st.randoms(use_true_random=False), st.booleans())
def test_the_order_in_which_scans_are_known_does_not_matter(
    scans: Sequence[OfflineEntry],
    chance: object,
    inside: bool,  # noqa: FBT001 - a case
) -> None:
    earlier = OpenVisit(uuid4(), HERE, NOW) if inside else None
    shuffled = list(scans)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first, other = replay(earlier, (), scans), replay(earlier, (), shuffled)
    assert shape(first) == shape(other)
    begun = [visit.entry.id for visit in first.visits]
    admitted = {scan.id for scan in scans if scan.direction is ENTER and first.conflicts.get(scan.id) != "used_pass"}
    assert set(begun) == admitted
    assert all(visit.end is not None for visit in first.visits[:-1])
