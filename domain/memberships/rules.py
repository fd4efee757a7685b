"""What memberships allow at one gym at one moment, and which of several counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.door.model import Reason, Remedy
from domain.memberships.model import Membership, MembershipState, MembershipView

# If a member has several memberships, the one whose state comes last here counts.
_PRECEDENCE = {
    MembershipState.NOT_STARTED: 0,
    MembershipState.ENDED: 1,
    MembershipState.FROZEN: 2,
    MembershipState.SUSPENDED: 3,
    MembershipState.GRACE: 4,
    MembershipState.ACTIVE: 5,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a member may enter by membership: without a reason, yes. Either may come with a remedy."""

    reason: Reason | None
    remedy: Remedy | None


_STANDINGS = {
    MembershipState.ACTIVE: Standing(None, None),
    MembershipState.GRACE: Standing(None, Remedy.RENEW),
    MembershipState.SUSPENDED: Standing(Reason.IN_ARREARS, Remedy.PAY),
    MembershipState.FROZEN: Standing(Reason.MEMBERSHIP_FROZEN, Remedy.UNFREEZE),
    MembershipState.ENDED: Standing(Reason.MEMBERSHIP_ENDED, Remedy.RENEW),
    MembershipState.NOT_STARTED: Standing(Reason.NO_MEMBERSHIP, Remedy.COME_BACK_LATER),
}


def standing(memberships: Iterable[Membership], now: datetime) -> Standing:
    """What the memberships allow at the gym that sees them.

    If none covers this gym, one that admits elsewhere gives `wrong_gym`. Otherwise the state with precedence counts.
    """
    held = list(memberships)
    if not held:
        return Standing(Reason.NO_MEMBERSHIP, Remedy.BUY_MEMBERSHIP)
    here = [state_of(membership, now) for membership in held if membership.covers_gym]
    if here:
        return _STANDINGS[max(here, key=_PRECEDENCE.__getitem__)]
    elsewhere = max((state_of(membership, now) for membership in held), key=_PRECEDENCE.__getitem__)
    if elsewhere in {MembershipState.GRACE, MembershipState.ACTIVE}:
        return Standing(Reason.WRONG_GYM, Remedy.CHANGE_PLAN)
    return _STANDINGS[elsewhere]


def state_of(membership: Membership, now: datetime) -> MembershipState:
    """The state of one membership."""
    if now < membership.starts_at:
        return MembershipState.NOT_STARTED
    if membership.in_arrears:
        return MembershipState.SUSPENDED  # past its end too: its days are withheld, not used
    if now - membership.ends_at >= membership.grace:
        return MembershipState.ENDED
    if _is_frozen(membership, now):
        return MembershipState.FROZEN
    return MembershipState.ACTIVE if now < membership.ends_at else MembershipState.GRACE


def member_state(views: Sequence[MembershipView], *, banned: bool) -> tuple[MembershipState, Remedy | None]:
    """The state of a member with these memberships, and what the member can do next."""
    if banned:
        return MembershipState.BANNED, Remedy.ASK_STAFF
    if not views:
        return MembershipState.NONE, Remedy.BUY_MEMBERSHIP
    state = max((view.state for view in views), key=_PRECEDENCE.__getitem__)
    return state, _STANDINGS[state].remedy


def _is_frozen(membership: Membership, now: datetime) -> bool:
    if membership.frozen_from is None or now < membership.frozen_from:
        return False
    return membership.frozen_until is None or now < membership.frozen_until
