"""Each rule of the door as a pure decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.door.model import (
    Direction,
    DoorLimits,
    Inferred,
    Outcome,
    PassReading,
    PassStatus,
    Reason,
    Remedy,
    ScanRequest,
    ShownMember,
)
from domain.door.rules import ScanDecision, decide_scan
from domain.door.state import AcceptedScan, GymState, MemberState, OpenVisit
from domain.memberships.model import Membership

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GYM, OTHER_GYM, GATE, OTHER_GATE, MEMBER = (uuid4() for _ in range(5))
ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO


def membership(**values: object) -> Membership:
    good = Membership(
        starts_at=NOW - timedelta(days=10),
        ends_at=NOW + timedelta(days=20),
        grace=timedelta(days=3),
        frozen_from=None,
        frozen_until=None,
        in_arrears=False,
        covers_gym=True,
    )
    return replace(good, **values)  # type: ignore[arg-type]


def a_gym(**values: object) -> GymState:
    gym = GymState(id=GYM, capacity=10, occupancy=3, is_open=True, reentry_after=timedelta(minutes=15))
    return replace(gym, **values)  # type: ignore[arg-type]


def a_member(**values: object) -> MemberState:
    member = MemberState(
        shown=ShownMember(MEMBER, "Mia", None),
        banned=False,
        memberships=(membership(),),
        open_visit=None,
        last_accepted=None,
        code_entered=False,
        code_left=False,
    )
    return replace(member, **values)  # type: ignore[arg-type]


def scan(direction: Direction = ENTER, status: PassStatus = PassStatus.VALID, gate: UUID = GATE) -> ScanRequest:
    reading = PassReading(status) if status is PassStatus.FORGED else PassReading(status, MEMBER, NOW)
    return ScanRequest("scan", uuid4(), GYM, gate, direction, reading, NOW, NOW + timedelta(seconds=1.8))


def visit(gym: UUID = GYM, minutes_ago: float = 60) -> OpenVisit:
    return OpenVisit(uuid4(), gym, NOW - timedelta(minutes=minutes_ago))


def accepted(outcome: Outcome, seconds_ago: float, gate: UUID = GATE) -> AcceptedScan:
    return AcceptedScan(uuid4(), gate, outcome, NOW - timedelta(seconds=seconds_ago), NOW, 4, 10, uuid4())


def of(scan: AcceptedScan) -> OpenVisit:
    """The visit that an entry began."""
    assert scan.visit_id is not None
    return OpenVisit(scan.visit_id, GYM, scan.decided_at)


def decision(
    request: ScanRequest, member: MemberState | None, gym: GymState | None = None, now: datetime = NOW
) -> ScanDecision:
    return decide_scan(request, gym or a_gym(), member, now, DoorLimits())


def reason(request: ScanRequest, member: MemberState | None, gym: GymState | None = None) -> Reason | None:
    result = decision(request, member, gym)
    assert (result.outcome is Outcome.REFUSED) == (result.reason is not None)
    if result.reason is not None:
        assert result.remedy is not None, "every refusal says how to resolve it"
        assert not result.opens_visit
        assert not result.ends_visit
    return result.reason


def test_a_member_in_good_standing_enters() -> None:
    assert decision(scan(), a_member()) == ScanDecision(Outcome.ENTERED, opens_visit=True)


def test_a_member_inside_leaves() -> None:
    assert decision(scan(LEAVE), a_member(open_visit=visit())) == ScanDecision(Outcome.LEFT, ends_visit=True)


def test_auto_is_the_opposite_of_where_the_member_is_at_this_gym() -> None:
    assert decision(scan(AUTO), a_member()).outcome is Outcome.ENTERED
    assert decision(scan(AUTO), a_member(open_visit=visit())).outcome is Outcome.LEFT
    assert decision(scan(AUTO), a_member(open_visit=visit(OTHER_GYM))).outcome is Outcome.ENTERED


def test_past_its_deadline_nothing_is_decided() -> None:
    late = NOW + timedelta(seconds=1.801)
    for request in (scan(), scan(LEAVE), scan(AUTO)):
        assert decision(request, a_member(), now=late).reason is Reason.TOO_LATE
    assert decision(scan(), a_member(), now=NOW + timedelta(seconds=1.8)).outcome is Outcome.ENTERED


@pytest.mark.parametrize("direction", [ENTER, LEAVE, AUTO])
def test_a_forged_pass_names_nobody(direction: Direction) -> None:
    assert reason(scan(direction, PassStatus.FORGED), None) is Reason.UNKNOWN_PASS


def test_a_genuine_pass_of_a_deleted_account_lets_out_but_not_in() -> None:
    assert reason(scan(ENTER), None) is Reason.UNKNOWN_PASS
    assert reason(scan(AUTO), None) is Reason.UNKNOWN_PASS
    assert decision(scan(LEAVE), None) == ScanDecision(Outcome.LEFT)


def test_a_stale_code_lets_nobody_in() -> None:
    assert reason(scan(status=PassStatus.STALE), a_member()) is Reason.EXPIRED_PASS


def test_a_code_admits_once() -> None:
    assert reason(scan(), a_member(code_entered=True)) is Reason.USED_PASS


@pytest.mark.parametrize(
    ("held", "expected", "remedy"),
    [
        ((), Reason.NO_MEMBERSHIP, Remedy.BUY_MEMBERSHIP),
        ((membership(starts_at=NOW + timedelta(days=1)),), Reason.NO_MEMBERSHIP, Remedy.COME_BACK_LATER),
        ((membership(covers_gym=False),), Reason.WRONG_GYM, Remedy.CHANGE_PLAN),
        ((membership(ends_at=NOW - timedelta(days=4)),), Reason.MEMBERSHIP_ENDED, Remedy.RENEW),
        ((membership(ends_at=NOW - timedelta(days=4), covers_gym=False),), Reason.MEMBERSHIP_ENDED, Remedy.RENEW),
        ((membership(frozen_from=NOW - timedelta(days=1)),), Reason.MEMBERSHIP_FROZEN, Remedy.UNFREEZE),
        ((membership(in_arrears=True),), Reason.IN_ARREARS, Remedy.PAY),
    ],
)
def test_a_membership_that_does_not_admit_gives_the_reason(
    held: tuple[Membership, ...], expected: Reason, remedy: Remedy
) -> None:
    result = decision(scan(), a_member(memberships=held))
    assert (result.outcome, result.reason, result.remedy) == (Outcome.REFUSED, expected, remedy)


def test_a_membership_that_ends_on_the_last_days_of_the_calendar_lets_in() -> None:
    far = membership(ends_at=datetime(9999, 12, 31, tzinfo=UTC), grace=timedelta(days=90))
    assert reason(scan(), a_member(memberships=(far,))) is None


def test_the_grace_period_lets_in_with_the_advice_to_renew() -> None:
    result = decision(scan(), a_member(memberships=(membership(ends_at=NOW - timedelta(days=2)),)))
    assert (result.outcome, result.remedy) == (Outcome.ENTERED, Remedy.RENEW)


def test_a_membership_ends_just_before_its_end_time() -> None:
    ends_now = membership(ends_at=NOW, grace=timedelta())
    assert reason(scan(), a_member(memberships=(ends_now,))) is Reason.MEMBERSHIP_ENDED
    starts_now = membership(starts_at=NOW)
    assert reason(scan(), a_member(memberships=(starts_now,))) is None


def test_one_good_membership_among_others_is_enough() -> None:
    held = (membership(in_arrears=True), membership(covers_gym=False), membership())
    assert reason(scan(), a_member(memberships=held)) is None


def test_a_banned_member_stays_out() -> None:
    assert reason(scan(), a_member(banned=True)) is Reason.BANNED


def test_a_full_gym_refuses_at_the_door() -> None:
    assert reason(scan(), a_member(), a_gym(occupancy=10)) is Reason.GYM_FULL
    assert reason(scan(), a_member(), a_gym(occupancy=9)) is None
    assert reason(scan(), a_member(), a_gym(occupancy=12)) is Reason.GYM_FULL


def test_a_gym_over_its_capacity_lets_nobody_in_and_everybody_out() -> None:
    gym = a_gym(capacity=2, occupancy=12)
    inside = a_member(open_visit=visit(minutes_ago=20))
    assert reason(scan(), a_member(), gym) is Reason.GYM_FULL
    assert reason(scan(direction=ENTER), inside, gym) is Reason.GYM_FULL, "not again either"
    assert reason(scan(direction=LEAVE), inside, gym) is None


def test_a_closed_gym_refuses_at_the_door() -> None:
    assert reason(scan(), a_member(), a_gym(is_open=False)) is Reason.GYM_CLOSED


def test_entering_while_inside_is_refused_for_a_while() -> None:
    assert reason(scan(), a_member(open_visit=visit(minutes_ago=14))) is Reason.ALREADY_INSIDE


def test_entering_while_inside_later_ends_the_forgotten_visit() -> None:
    result = decision(scan(), a_member(open_visit=visit(minutes_ago=15)))
    assert result == ScanDecision(Outcome.ENTERED, opens_visit=True, ends_visit=True, inferred=Inferred.ENTERED_AGAIN)


def test_a_gym_may_always_refuse_entering_while_inside() -> None:
    gym = a_gym(reentry_after=None)
    assert reason(scan(), a_member(open_visit=visit(minutes_ago=600)), gym) is Reason.ALREADY_INSIDE


def test_entering_again_needs_no_second_place_in_a_full_gym() -> None:
    gym = a_gym(occupancy=10)
    assert reason(scan(), a_member(open_visit=visit(minutes_ago=20)), gym) is None


def test_entering_another_gym_ends_the_visit_at_the_first() -> None:
    result = decision(scan(), a_member(open_visit=visit(OTHER_GYM)))
    assert result == ScanDecision(
        Outcome.ENTERED, opens_visit=True, ends_visit=True, inferred=Inferred.ENTERED_ELSEWHERE
    )


@pytest.mark.parametrize(
    "member",
    [
        a_member(memberships=()),
        a_member(banned=True),
        a_member(open_visit=visit(), memberships=(membership(in_arrears=True),)),
        a_member(open_visit=visit(), code_entered=True),
        a_member(open_visit=visit(OTHER_GYM)),
    ],
)
@pytest.mark.parametrize("status", [PassStatus.VALID, PassStatus.STALE])
@pytest.mark.parametrize("gym", [a_gym(), a_gym(is_open=False), a_gym(occupancy=10)])
def test_a_genuine_pass_always_lets_out(member: MemberState, status: PassStatus, gym: GymState) -> None:
    assert decision(scan(LEAVE, status), member, gym).outcome is Outcome.LEFT


def test_leaving_without_an_entry_ends_nothing() -> None:
    assert decision(scan(LEAVE), a_member()) == ScanDecision(Outcome.LEFT)
    assert decision(scan(LEAVE), a_member(open_visit=visit(OTHER_GYM))) == ScanDecision(Outcome.LEFT)


@pytest.mark.parametrize("direction", [ENTER, AUTO])
def test_an_answer_is_repeated_for_fifteen_seconds_at_the_same_gate(direction: Direction) -> None:
    last = accepted(Outcome.ENTERED, 15)
    member = a_member(open_visit=of(last), last_accepted=last)
    assert decision(scan(direction), member) == ScanDecision(Outcome.ENTERED, repeats=last)


@pytest.mark.parametrize("direction", [ENTER, AUTO])
@pytest.mark.parametrize("open_visit", [None, visit(OTHER_GYM, minutes_ago=0.1)])
def test_an_entry_is_not_repeated_after_its_visit_has_ended(direction: Direction, open_visit: OpenVisit | None) -> None:
    member = a_member(open_visit=open_visit, last_accepted=accepted(Outcome.ENTERED, 5))
    result = decision(scan(direction), member)
    assert (result.repeats, result.opens_visit) == (None, True)
    used = replace(member, code_entered=True)
    assert reason(scan(ENTER), used) is Reason.USED_PASS


def test_an_exit_is_not_repeated_to_somebody_who_is_inside_again() -> None:
    member = a_member(open_visit=visit(minutes_ago=0.1), last_accepted=accepted(Outcome.LEFT, 5))
    assert decision(scan(LEAVE), member) == ScanDecision(Outcome.LEFT, ends_visit=True)


def test_after_fifteen_seconds_a_fresh_code_toggles_again() -> None:
    member = a_member(open_visit=visit(minutes_ago=0.26), last_accepted=accepted(Outcome.ENTERED, 15.001))
    assert decision(scan(AUTO), member) == ScanDecision(Outcome.LEFT, ends_visit=True)


def test_a_phone_that_stays_at_the_exit_is_not_let_in_again() -> None:
    last = accepted(Outcome.LEFT, 5)
    assert decision(scan(AUTO), a_member(last_accepted=last)) == ScanDecision(Outcome.LEFT, repeats=last)


def test_an_explicit_leave_after_an_enter_is_a_leave() -> None:
    member = a_member(open_visit=visit(minutes_ago=0.1), last_accepted=accepted(Outcome.ENTERED, 5), code_entered=True)
    assert decision(scan(LEAVE), member) == ScanDecision(Outcome.LEFT, ends_visit=True)


@pytest.mark.parametrize("direction", [ENTER, AUTO])
def test_a_stale_screenshot_after_an_entry_gets_no_repeated_answer(direction: Direction) -> None:
    last = replace(accepted(Outcome.ENTERED, 5), pass_issued_at=NOW - timedelta(seconds=15))
    member = a_member(open_visit=of(last), last_accepted=last)
    assert reason(scan(direction, PassStatus.STALE), member) is Reason.EXPIRED_PASS
    frozen_phone = replace(member, last_accepted=replace(last, pass_issued_at=NOW))
    assert decision(scan(direction, PassStatus.STALE), frozen_phone).outcome is Outcome.ENTERED


def long_lived(direction: Direction = ENTER, status: PassStatus = PassStatus.VALID) -> ScanRequest:
    return replace(scan(direction), reading=PassReading(status, MEMBER, NOW, 300))


@pytest.mark.parametrize("direction", [ENTER, AUTO])
def test_another_long_lived_pass_after_an_entry_gets_no_repeated_answer(direction: Direction) -> None:
    last = replace(accepted(Outcome.ENTERED, 5), pass_issued_at=NOW - timedelta(seconds=15))
    member = a_member(open_visit=of(last), last_accepted=last)
    assert reason(long_lived(direction), member) is Reason.USED_PASS
    same = replace(member, last_accepted=replace(last, pass_issued_at=NOW))
    assert decision(long_lived(direction), same) == ScanDecision(Outcome.ENTERED, repeats=same.last_accepted)


def test_a_long_lived_pass_admits_once_and_not_after_any_other_code() -> None:
    assert decision(long_lived(), a_member()) == ScanDecision(Outcome.ENTERED, opens_visit=True)
    for direction in (ENTER, AUTO):
        for used in ({"code_entered": True}, {"code_left": True}, {"entered_since": True}):
            assert reason(long_lived(direction), a_member(**used)) is Reason.USED_PASS
    assert reason(long_lived(status=PassStatus.STALE), a_member()) is Reason.EXPIRED_PASS


def test_a_long_lived_pass_lets_out_however_it_was_used() -> None:
    member = a_member(open_visit=visit(), entered_since=True)
    for direction in (LEAVE, AUTO):
        assert decision(long_lived(direction), member) == ScanDecision(Outcome.LEFT, ends_visit=True)
    assert decision(long_lived(LEAVE), replace(member, code_entered=True)).outcome is Outcome.LEFT


def test_another_gate_does_not_repeat_an_answer() -> None:
    member = a_member(
        open_visit=visit(minutes_ago=0.1), last_accepted=accepted(Outcome.ENTERED, 5, OTHER_GATE), code_entered=True
    )
    assert reason(scan(ENTER), member) is Reason.USED_PASS


def test_under_auto_a_code_never_yields_the_opposite() -> None:
    assert reason(scan(AUTO), a_member(open_visit=visit(), code_entered=True)) is Reason.USED_PASS
    assert reason(scan(AUTO, PassStatus.STALE), a_member(open_visit=visit(), code_entered=True)) is Reason.USED_PASS
    assert reason(scan(AUTO), a_member(code_left=True)) is Reason.USED_PASS
    assert decision(scan(AUTO), a_member(open_visit=visit(), code_left=True)).outcome is Outcome.LEFT


@pytest.mark.parametrize("held", [(), (membership(in_arrears=True),), (membership(covers_gym=False),)])
def test_payments_are_checked_once_if_they_could_lift_the_refusal(held: tuple[Membership, ...]) -> None:
    member = a_member(memberships=held, payment_open=True)
    assert decision(scan(), member).check_payment
    assert not decision(replace(scan(), payment_checked=True), member).check_payment
    assert not decision(scan(), replace(member, payment_open=False)).check_payment


def test_payments_are_not_checked_if_they_could_not_lift_the_refusal() -> None:
    frozen = a_member(memberships=(membership(frozen_from=NOW),), payment_open=True)
    banned = a_member(banned=True, payment_open=True)
    for member in (frozen, banned):
        assert not decision(scan(), member).check_payment
    assert not decision(scan(), a_member(payment_open=True), a_gym(occupancy=10)).check_payment
