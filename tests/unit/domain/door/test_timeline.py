"""The visits that follow from facts, in whatever order the facts arrive."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.door.timeline import Fact, GateScan, OfflineEntry, RuleEnd, Stay, StayEnd, Timeline, occurred_at, replay

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UPLOADED = NOW + timedelta(hours=2)
HERE, THERE, GATE, DEVICE = uuid4(), uuid4(), uuid4(), uuid4()
ENTER, LEAVE = Direction.ENTER, Direction.LEAVE
ENTERED, LEFT = Outcome.ENTERED, Outcome.LEFT


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


def entry(
    minute: float, direction: Direction, gym: UUID = HERE, issued: float | None = None, known: float = 120
) -> OfflineEntry:
    issued_at = at(minute if issued is None else issued)
    return OfflineEntry(uuid4(), (str(uuid4()), DEVICE), gym, GATE, direction, at(minute), issued_at, at(known))


def scan(
    minute: float, outcome: Outcome, gym: UUID = HERE, issued: float | None = None, of: GateScan | None = None
) -> GateScan:
    id_ = uuid4()
    issued_at = at(minute if issued is None else issued)
    return GateScan(id_, of.group if of else id_, gym, GATE, outcome, at(minute), issued_at)


def shape(timeline: Timeline) -> list[tuple[UUID, StayEnd | None]]:
    return [(stay.opener.id, stay.end) for stay in timeline.stays if stay.opener is not None]


def test_an_entry_and_an_exit_are_a_visit() -> None:
    came, went = entry(0, ENTER), entry(60, LEAVE)
    timeline = replay(None, (), [went, came])
    assert (shape(timeline), timeline.conflicts) == ([(came.id, StayEnd(went.at, went.id, None))], {})


def test_an_exit_ends_the_visit_that_was_open_before() -> None:
    went, earlier = entry(5, LEAVE), Stay(HERE, None)
    timeline = replay(earlier, (), [went])
    assert earlier.end == StayEnd(went.at, went.id, None)
    assert timeline.of_scans == {went.id: earlier}


def test_an_exit_from_another_gym_is_a_conflict() -> None:
    went, earlier = entry(5, LEAVE), Stay(THERE, None)
    timeline = replay(earlier, (), [went])
    assert (earlier.end, timeline.conflicts) == (None, {went.id: Conflict.NOT_INSIDE})


def test_an_entry_elsewhere_ends_the_visit_here() -> None:
    came, moved = entry(0, ENTER, known=20), scan(30, ENTERED, THERE)
    timeline = replay(None, (), [moved, came])
    assert shape(timeline) == [(came.id, StayEnd(moved.at, moved.id, Inferred.ENTERED_ELSEWHERE)), (moved.id, None)]
    assert timeline.conflicts == {}


def test_entering_twice_is_a_conflict_and_begins_a_new_visit() -> None:
    came, again = entry(0, ENTER), entry(30, ENTER)
    timeline = replay(None, (), [came, again])
    assert timeline.stays[0].end == StayEnd(again.at, again.id, Inferred.ENTERED_AGAIN)
    assert timeline.conflicts == {again.id: Conflict.ALREADY_INSIDE}


@pytest.mark.parametrize("known", [True, False])
def test_a_code_admits_once(known: bool) -> None:  # noqa: FBT001 - a case
    came, copied = entry(0, ENTER), entry(1, ENTER, THERE, issued=0)
    timeline = replay(None, [came.issued_at] if known else [], [came, copied] if not known else [copied])
    assert timeline.conflicts == {copied.id: Conflict.USED_PASS}


def test_a_code_that_a_gate_accepted_is_not_used_by_an_earlier_upload() -> None:
    early, decided = entry(0, ENTER, issued=1, known=0.5), scan(1, ENTERED, issued=1)
    timeline = replay(None, (), [early, decided])
    assert timeline.conflicts == {early.id: Conflict.USED_PASS}
    assert shape(timeline) == [(decided.id, None)]


def test_a_decision_of_a_gate_before_the_upload_stays() -> None:
    came, uploaded, left = scan(0, ENTERED), entry(5, LEAVE, known=11), scan(10, LEFT)
    timeline = replay(None, (), [came, uploaded, left])
    assert timeline.conflicts == {uploaded.id: Conflict.LATER_SCAN}
    assert shape(timeline) == [(came.id, StayEnd(left.at, left.id, None))]
    known_before = entry(5, LEAVE, known=9)
    timeline = replay(None, (), [came, known_before, left])
    assert shape(timeline) == [(came.id, StayEnd(known_before.at, known_before.id, None))]
    assert timeline.of_scans[left.id] is None


def test_scans_with_the_same_answer_have_one_visit() -> None:
    first = scan(0, ENTERED)
    again = scan(0.1, ENTERED, of=first)
    timeline = replay(None, (), [first, again])
    assert shape(timeline) == [(first.id, None)]
    assert timeline.of_scans[again.id] is timeline.stays[0]
    assert shape(replay(None, (), [again])) == [(again.id, None)], "it stands without the annulled first one"


def test_a_repeated_answer_after_the_end_of_its_visit_is_a_new_entry() -> None:
    first = scan(0, ENTERED)
    went, again = entry(0.05, LEAVE, known=0.06), scan(0.1, ENTERED, of=first)
    timeline = replay(None, (), [first, went, again])
    assert shape(timeline) == [(first.id, StayEnd(went.at, went.id, None)), (again.id, None)]


def test_a_rule_ends_the_visit_that_is_open_at_its_gym() -> None:
    came, counted_out = scan(0, ENTERED), RuleEnd(HERE, at(10), Inferred.HEAD_COUNT)
    assert shape(replay(None, (), [came, counted_out])) == [(came.id, StayEnd(at(10), None, Inferred.HEAD_COUNT))]
    went = entry(5, LEAVE)
    assert shape(replay(None, (), [came, counted_out, went])) == [(came.id, StayEnd(went.at, went.id, None))]
    elsewhere = RuleEnd(THERE, at(10), Inferred.HEAD_COUNT)
    assert shape(replay(None, (), [came, elsewhere])) == [(came.id, None)]


@pytest.mark.parametrize(
    ("said_s", "expected_s"),
    [(0, 0), (44, 44), (3600, 45), (-3600, -10), (None, 0)],
)
def test_the_time_of_a_device_is_bounded_by_the_validity_of_the_code(said_s: int | None, expected_s: int) -> None:
    said = None if said_s is None else NOW + timedelta(seconds=said_s)
    assert occurred_at(said, NOW, NOW + timedelta(hours=2)) == NOW + timedelta(seconds=expected_s)


def test_a_scan_was_made_before_it_was_uploaded() -> None:
    assert occurred_at(NOW + timedelta(hours=1), None, NOW) == NOW


gyms = st.sampled_from([HERE, THERE])
issues = st.one_of(st.none(), st.integers(0, 3))
uploads = st.builds(entry, st.integers(0, 12), st.sampled_from([ENTER, LEAVE]), gyms, issues, st.integers(12, 20))
decided = st.builds(scan, st.integers(0, 16), st.sampled_from([ENTERED, LEFT]), gyms)
ruled = st.builds(RuleEnd, gyms, st.integers(0, 16).map(at), st.just(Inferred.FORGOTTEN))


@settings(max_examples=150)
@given(st.lists(st.one_of(uploads, decided, ruled), max_size=9), st.randoms(use_true_random=False), st.booleans())
def test_the_order_in_which_facts_arrive_does_not_matter(
    facts: Sequence[Fact],
    chance: object,
    inside: bool,  # noqa: FBT001 - a case
) -> None:
    shuffled = list(facts)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first_earlier, other_earlier = (Stay(HERE, None) if inside else None for _ in range(2))
    first, other = replay(first_earlier, (), facts), replay(other_earlier, (), shuffled)
    assert (shape(first), first.conflicts) == (shape(other), other.conflicts)
    assert (first_earlier and first_earlier.end) == (other_earlier and other_earlier.end)
    not_counted = {Conflict.USED_PASS, Conflict.LATER_SCAN, Conflict.NOT_INSIDE}
    for fact in facts:
        if isinstance(fact, GateScan):
            began = fact.id in dict(shape(first))
            assert began == (fact.outcome is ENTERED), "whoever was told that they entered is counted"
        if isinstance(fact, OfflineEntry):
            did = first.of_scans[fact.id] is not None
            assert did == (first.conflicts.get(fact.id) not in not_counted), "no fact is lost without a trace"
    assert all(stay.end is not None for stay in first.stays[:-1])
    assert all(
        stay.end.left_at >= stay.opener.at for stay in first.stays if stay.end is not None and stay.opener is not None
    )
