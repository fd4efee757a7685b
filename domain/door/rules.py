"""The decision at the door: pure functions, no clock, no store. The rules are those of docs/door.md."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.door.model import Direction, DoorLimits, Inferred, Outcome, PassStatus, Reason, Remedy, ScanRequest
from domain.door.state import AcceptedScan, GymState, MemberState
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
MENDED_BY_PAYMENT = {Reason.NO_MEMBERSHIP, Reason.MEMBERSHIP_ENDED, Reason.IN_ARREARS, Reason.WRONG_GYM}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a scan, and what is to be written.

    Args:
        opens_visit: a visit begins at this gym.
        ends_visit: the member's open visit ends, wherever it is.
        inferred: why, when it is not by a scan of its own.
        repeats: the accepted scan whose answer is given again; then nothing is opened or ended.
        ask_payment: nothing is decided; a payment could mend it.
    """

    outcome: Outcome
    reason: Reason | None = None
    remedy: Remedy | None = None
    opens_visit: bool = False
    ends_visit: bool = False
    inferred: Inferred | None = None
    repeats: AcceptedScan | None = None
    ask_payment: bool = False


def decide(
    request: ScanRequest, gym: GymState, member: MemberState | None, now: datetime, limits: DoorLimits
) -> Verdict:
    """Decide one scan.

    Args:
        member: None when the pass names nobody, or nobody who is known.
        now: when it is decided, by the server's clock.
    """
    if now > request.decide_by:
        return refused(Reason.TOO_LATE)
    if request.reading.status is PassStatus.FORGED:
        return refused(Reason.UNKNOWN_PASS)
    if member is None:
        # A genuine pass of an account that is gone: nobody is kept inside for it.
        leaves = request.direction is Direction.LEAVE
        return Verdict(Outcome.LEFT) if leaves else refused(Reason.UNKNOWN_PASS)
    held_up = _held_up(request, member, now, limits)
    if held_up is not None:
        another_s = request.reading.issued_at != held_up.pass_issued_at
        if held_up.outcome is Outcome.ENTERED and another_s:
            # A screenshot shown behind its owner's back.
            if request.reading.status is PassStatus.STALE:
                return refused(Reason.EXPIRED_PASS)
            if request.reading.validity_s is not None:  # no phone shows one after another by itself
                return refused(Reason.USED_PASS)
        return Verdict(held_up.outcome, repeats=held_up)
    inside = member.open_visit is not None and member.open_visit.gym_id == gym.id
    leaves = inside if request.direction is Direction.AUTO else request.direction is Direction.LEAVE
    if request.direction is Direction.AUTO and (member.code_entered if leaves else member.code_left):
        return refused(Reason.USED_PASS)  # the same code never yields the opposite
    if leaves:
        return Verdict(Outcome.LEFT, ends_visit=inside)
    return _enter(request, gym, member, now)


def entitlement(*, banned: bool, memberships: Iterable[Membership], now: datetime) -> Standing:
    """Whether a member may enter a gym today, whatever their pass, its opening hours and its places say.

    Args:
        banned: banned by the staff, or the account is disabled.
        memberships: seen from the gym that is asked.
    """
    if banned:
        return Standing(Reason.BANNED, REMEDIES[Reason.BANNED])
    return standing(memberships, now)


def refused(reason: Reason) -> Verdict:
    """A refusal with its usual remedy."""
    return Verdict(Outcome.REFUSED, reason, REMEDIES[reason])


def _held_up(request: ScanRequest, member: MemberState, now: datetime, limits: DoorLimits) -> AcceptedScan | None:
    """The answer that a phone held up is given again, if this scan is one and the answer still holds."""
    last = member.last_accepted
    if last is None or last.gate_id != request.gate_id or now - last.decided_at > limits.repeat_window:
        return None
    visit = member.open_visit
    if last.outcome is Outcome.ENTERED:
        same, holds = Direction.ENTER, visit is not None and visit.visit_id == last.visit_id
    else:
        same, holds = Direction.LEAVE, visit is None or visit.gym_id != request.gym_id
    return last if holds and request.direction in {Direction.AUTO, same} else None


def _enter(request: ScanRequest, gym: GymState, member: MemberState, now: datetime) -> Verdict:
    by_pass = _refused_by_pass(request, member)
    if by_pass is not None:
        return refused(by_pass)
    entitled = entitlement(banned=member.banned, memberships=member.memberships, now=now)
    if entitled.reason is not None:
        ask = entitled.reason in MENDED_BY_PAYMENT and member.payment_open and not request.payment_checked
        return Verdict(Outcome.REFUSED, entitled.reason, entitled.remedy, ask_payment=ask)
    by_gym = _refused_by_gym(gym, member, now)
    if by_gym is not None:
        return refused(by_gym)
    return Verdict(
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
        return Reason.USED_PASS  # a heap of long-lived passes, kept or sent to friends, admits once
    return Reason.USED_PASS if member.code_entered else None


def _refused_by_gym(gym: GymState, member: MemberState, now: datetime) -> Reason | None:
    visit = member.open_visit
    here = visit is not None and visit.gym_id == gym.id
    if visit is not None and here and (gym.reentry_after is None or now - visit.entered_at < gym.reentry_after):
        return Reason.ALREADY_INSIDE
    if not gym.is_open:
        return Reason.GYM_CLOSED
    # Entering again gives back the place that the forgotten visit holds.
    return Reason.GYM_FULL if gym.occupancy - here >= gym.capacity else None


def _why_it_ends(gym: GymState, member: MemberState) -> Inferred | None:
    if member.open_visit is None:
        return None
    return Inferred.ENTERED_AGAIN if member.open_visit.gym_id == gym.id else Inferred.ENTERED_ELSEWHERE
