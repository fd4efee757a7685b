"""Rules for a single scan at a gate, in the order of docs/door.md. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from domain.door.model import Direction, DoorLimits, Inferred, Outcome, PassStatus, Reason, Remedy, ScanRequest
from domain.door.state import AcceptedScan, EntitlementState, GymState, MemberState
from domain.memberships.days import day_of
from domain.memberships.model import Membership
from domain.memberships.rules import Standing, standing

REMEDIES = {
    Reason.UNKNOWN_PASS: Remedy.OPEN_APP,
    Reason.EXPIRED_PASS: Remedy.REFRESH_PASS,
    Reason.USED_PASS: Remedy.REFRESH_PASS,
    Reason.GYM_FULL: Remedy.WAIT,
    Reason.ALREADY_INSIDE: Remedy.LEAVE_FIRST,
    Reason.GYM_CLOSED: Remedy.COME_BACK_LATER,
    Reason.BANNED: Remedy.ASK_STAFF,
    Reason.TOO_LATE: Remedy.SCAN_AGAIN,
}
RESOLVED_BY_PAYMENT = {Reason.NO_MEMBERSHIP, Reason.MEMBERSHIP_ENDED, Reason.IN_ARREARS, Reason.WRONG_GYM}


@dataclass(frozen=True, slots=True)
class ScanDecision:
    """The outcome of a scan and its effect on visits.

    Args:
        opens_visit: a visit begins at this gym.
        ends_visit: the member's open visit ends, at whichever gym.
        inferred: why it ends, when this scan is not its exit.
        repeats: the accepted scan whose answer is given again; then no visit begins or ends.
        check_payment: nothing is decided; a payment could lift the refusal.
    """

    outcome: Outcome
    reason: Reason | None = None
    remedy: Remedy | None = None
    opens_visit: bool = False
    ends_visit: bool = False
    inferred: Inferred | None = None
    repeats: AcceptedScan | None = None
    check_payment: bool = False


def decide_scan(
    request: ScanRequest, gym: GymState, member: MemberState | None, now: datetime, limits: DoorLimits
) -> ScanDecision:
    """Decide one scan.

    Args:
        member: None when the pass names nobody or nobody who is known.
        now: the time of the decision, by the server's clock.
    """
    if now > request.decide_by:
        return refused(Reason.TOO_LATE)
    if request.reading.status is PassStatus.FORGED:
        return refused(Reason.UNKNOWN_PASS)
    if member is None:
        # A genuine pass of a deleted account lets out: nobody is kept inside.
        leaves = request.direction is Direction.LEAVE
        return ScanDecision(Outcome.LEFT) if leaves else refused(Reason.UNKNOWN_PASS)
    repeated = _repeated(request, member, now, limits)
    if repeated is not None:
        is_other_code = request.reading.issued_at != repeated.pass_issued_at
        if repeated.outcome is Outcome.ENTERED and is_other_code:
            # Somebody behind the member shows a screenshot of an older code.
            if request.reading.status is PassStatus.STALE:
                return refused(Reason.EXPIRED_PASS)
            if request.reading.validity_s is not None:  # a phone does not change its long-lived pass by itself
                return refused(Reason.USED_PASS)
        return ScanDecision(repeated.outcome, repeats=repeated)
    inside = member.open_visit is not None and member.open_visit.gym_id == gym.id
    leaves = inside if request.direction is Direction.AUTO else request.direction is Direction.LEAVE
    if request.direction is Direction.AUTO and (member.code_entered if leaves else member.code_left):
        return refused(Reason.USED_PASS)  # the same code never yields the opposite
    if leaves:
        return ScanDecision(Outcome.LEFT, ends_visit=inside)
    return _enter(request, gym, member, now)


def entitlement(*, banned: bool, memberships: Iterable[Membership], now: datetime) -> Standing:
    """Whether a member may enter a gym by their memberships, regardless of pass, opening hours and capacity.

    Args:
        banned: banned by the staff, or the account is disabled.
        memberships: seen from this gym.
    """
    if banned:
        return Standing(Reason.BANNED, REMEDIES[Reason.BANNED])
    return standing(memberships, now)


def last_entitled_day(state: EntitlementState, now: datetime) -> date | None:
    """The last day, in its own time zone, of the membership that ends last among those that admit; None: none does."""
    if entitlement(banned=state.banned, memberships=state.memberships, now=now).reason is not None:
        return None
    admitting = [
        one for one in state.memberships if entitlement(banned=False, memberships=[one], now=now).reason is None
    ]
    ends_at = max(membership.ends_at for membership in admitting)
    return day_of(ends_at, state.time_zones[ends_at])


def refused(reason: Reason) -> ScanDecision:
    """A refusal with its usual remedy."""
    return ScanDecision(Outcome.REFUSED, reason, REMEDIES[reason])


def _repeated(request: ScanRequest, member: MemberState, now: datetime, limits: DoorLimits) -> AcceptedScan | None:
    """The accepted scan whose answer applies again because the phone is still at the scanner; None: decide anew."""
    last = member.last_accepted
    if last is None or last.gate_id != request.gate_id or now - last.decided_at > limits.repeat_window:
        return None
    visit = member.open_visit
    if last.outcome is Outcome.ENTERED:
        same, holds = Direction.ENTER, visit is not None and visit.visit_id == last.visit_id
    else:
        same, holds = Direction.LEAVE, visit is None or visit.gym_id != request.gym_id
    return last if holds and request.direction in {Direction.AUTO, same} else None


def _enter(request: ScanRequest, gym: GymState, member: MemberState, now: datetime) -> ScanDecision:
    by_pass = _refused_by_pass(request, member)
    if by_pass is not None:
        return refused(by_pass)
    entitled = entitlement(banned=member.banned, memberships=member.memberships, now=now)
    if entitled.reason is not None:
        check = entitled.reason in RESOLVED_BY_PAYMENT and member.payment_open and not request.payment_checked
        return ScanDecision(Outcome.REFUSED, entitled.reason, entitled.remedy, check_payment=check)
    by_gym = _refused_by_gym(gym, member, now)
    if by_gym is not None:
        return refused(by_gym)
    return ScanDecision(
        Outcome.ENTERED,
        remedy=entitled.remedy,
        opens_visit=True,
        ends_visit=member.open_visit is not None,
        inferred=_why_it_ends(gym, member),
    )


def _refused_by_pass(request: ScanRequest, member: MemberState) -> Reason | None:
    if request.reading.status is PassStatus.STALE:
        return Reason.EXPIRED_PASS
    if request.reading.validity_s is not None and (member.entered_since or member.code_left):
        return Reason.USED_PASS  # long-lived passes that were collected or shared admit once
    return Reason.USED_PASS if member.code_entered else None


def _refused_by_gym(gym: GymState, member: MemberState, now: datetime) -> Reason | None:
    visit = member.open_visit
    here = visit is not None and visit.gym_id == gym.id
    if visit is not None and here and (gym.reentry_after is None or now - visit.entered_at < gym.reentry_after):
        return Reason.ALREADY_INSIDE
    if not gym.is_open:
        return Reason.GYM_CLOSED
    # Entering again ends the forgotten visit, which frees its place.
    return Reason.GYM_FULL if gym.occupancy - here >= gym.capacity else None


def _why_it_ends(gym: GymState, member: MemberState) -> Inferred | None:
    if member.open_visit is None:
        return None
    return Inferred.ENTERED_AGAIN if member.open_visit.gym_id == gym.id else Inferred.ENTERED_ELSEWHERE
