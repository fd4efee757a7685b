"""Properties of every decision, for any member, gym and pass."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.door.model import (
    Direction,
    DoorLimits,
    Outcome,
    PassReading,
    PassStatus,
    Reason,
    ScanRequest,
    ShownMember,
)
from domain.door.rules import decide_scan
from domain.door.state import AcceptedScan, GymState, MemberState, OpenVisit
from domain.memberships.model import Membership

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(1, 4)]
MEMBER = UUID(int=9)

moments = st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda ago: NOW + ago)
memberships = st.builds(
    Membership,
    starts_at=moments,
    ends_at=moments,
    grace=st.timedeltas(timedelta(), timedelta(days=5)),
    frozen_from=st.none() | moments,
    frozen_until=st.none() | moments,
    in_arrears=st.booleans(),
    covers_gym=st.booleans(),
)
gyms = st.builds(
    GymState,
    id=st.just(IDS[0]),
    capacity=st.integers(0, 5),
    occupancy=st.integers(0, 7),
    is_open=st.booleans(),
    reentry_after=st.none() | st.timedeltas(timedelta(), timedelta(hours=1)),
)
accepted = st.builds(
    AcceptedScan,
    id=st.just(IDS[0]),
    gate_id=st.sampled_from(IDS),
    outcome=st.sampled_from([Outcome.ENTERED, Outcome.LEFT]),
    decided_at=st.timedeltas(timedelta(), timedelta(seconds=60)).map(lambda ago: NOW - ago),
    pass_issued_at=st.just(NOW),
    occupancy=st.integers(0, 5),
    capacity=st.just(5),
    visit_id=st.sampled_from([None, IDS[1], IDS[2]]),
)
members = st.builds(
    MemberState,
    shown=st.just(ShownMember(MEMBER, "Mia", None)),
    banned=st.booleans(),
    memberships=st.lists(memberships, max_size=3).map(tuple),
    open_visit=st.none()
    | st.builds(OpenVisit, st.just(IDS[2]), st.sampled_from(IDS), moments.filter(lambda entered: entered <= NOW)),
    last_accepted=st.none() | accepted,
    code_entered=st.booleans(),
    code_left=st.booleans(),
    payment_open=st.booleans(),
    entered_since=st.booleans(),
)
scans = st.builds(
    ScanRequest,
    scan_id=st.just("scan"),
    asked_by=st.just(IDS[1]),
    gym_id=st.just(IDS[0]),
    gate_id=st.sampled_from(IDS),
    direction=st.sampled_from(Direction),
    reading=st.builds(
        PassReading,
        st.sampled_from([PassStatus.VALID, PassStatus.STALE]),
        st.just(MEMBER),
        st.just(NOW),
        st.sampled_from([None, 300]),
    ),
    arrived_at=st.just(NOW),
    decide_by=st.timedeltas(timedelta(seconds=-1), timedelta(seconds=2)).map(lambda left: NOW + left),
    payment_checked=st.booleans(),
)
LIMITS = DoorLimits()


def assert_keeps_the_rules(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    result = decide_scan(scan, gym, member, NOW, LIMITS)
    assert (result.reason is None) == (result.outcome is not Outcome.REFUSED)
    if result.outcome is Outcome.REFUSED:
        assert result.remedy is not None
        assert not result.opens_visit
        assert not result.ends_visit
    if scan.decide_by < NOW:
        assert result.reason is Reason.TOO_LATE
        return
    if result.repeats is not None:
        assert result.outcome is result.repeats.outcome
        assert NOW - result.repeats.decided_at <= LIMITS.repeat_window
        if result.outcome is Outcome.ENTERED:
            assert member.open_visit is not None, "whoever is told that they entered is counted"
            assert member.open_visit.visit_id == result.repeats.visit_id
        assert not result.opens_visit
        assert not result.ends_visit
        return
    if result.opens_visit:
        own = member.open_visit is not None and member.open_visit.gym_id == gym.id
        assert gym.occupancy - own + 1 <= gym.capacity, "capacity is never exceeded"
        assert result.ends_visit == (member.open_visit is not None), "nobody is inside twice"
        assert scan.reading.status is PassStatus.VALID
        assert not member.code_entered, "a code admits once"
        if scan.reading.validity_s is not None:
            assert not member.entered_since, "any entry uses up the long-lived passes that were issued before it"
            assert not member.code_left
        assert gym.is_open
        assert not member.banned
    if scan.direction is Direction.LEAVE:
        assert result.outcome is Outcome.LEFT, "exit is never refused to a genuine pass"
    assert not (result.check_payment and scan.payment_checked), "payments are asked once"


def assert_depends_on_nothing_else(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    assert decide_scan(scan, gym, member, NOW, LIMITS) == decide_scan(scan, gym, member, NOW, LIMITS)


def assert_a_place_more_refuses_nobody(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    if decide_scan(scan, gym, member, NOW, LIMITS).outcome is Outcome.ENTERED:
        wider = replace(gym, capacity=gym.capacity + 1)
        assert decide_scan(scan, wider, member, NOW, LIMITS).outcome is Outcome.ENTERED


@given(scans, gyms, members)
@settings(max_examples=200)
def test_every_decision_keeps_the_rules_of_the_door(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    assert_keeps_the_rules(scan, gym, member)


@given(scans, gyms, members)
@settings(max_examples=50)
def test_a_decision_depends_on_nothing_but_its_arguments(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    assert_depends_on_nothing_else(scan, gym, member)


@given(scans, gyms, members)
@settings(max_examples=100)
def test_a_larger_capacity_never_turns_an_entry_into_a_refusal(
    scan: ScanRequest, gym: GymState, member: MemberState
) -> None:
    assert_a_place_more_refuses_nobody(scan, gym, member)


@pytest.mark.soak("stateful")
@given(scans, gyms, members)
@settings(max_examples=10_000)
def test_the_rules_hold_for_thousands_of_decisions(scan: ScanRequest, gym: GymState, member: MemberState) -> None:
    assert_keeps_the_rules(scan, gym, member)
    assert_depends_on_nothing_else(scan, gym, member)
    assert_a_place_more_refuses_nobody(scan, gym, member)
