"""What a member's memberships amount to at one gym, at one moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from domain.door.model import Reason, Remedy
from domain.memberships.model import Membership


class _State(IntEnum):
    """From what says least about a member to what says most; the highest of several is the one that counts."""

    NOT_STARTED = 0
    ENDED = 1
    FROZEN = 2
    IN_ARREARS = 3
    IN_GRACE = 4
    GOOD = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a member may enter by membership: no reason means yes. A remedy may come with either."""

    reason: Reason | None
    remedy: Remedy | None


_STANDINGS = {
    _State.GOOD: Standing(None, None),
    _State.IN_GRACE: Standing(None, Remedy.RENEW),
    _State.IN_ARREARS: Standing(Reason.IN_ARREARS, Remedy.PAY),
    _State.FROZEN: Standing(Reason.MEMBERSHIP_FROZEN, Remedy.UNFREEZE),
    _State.ENDED: Standing(Reason.MEMBERSHIP_ENDED, Remedy.RENEW),
    _State.NOT_STARTED: Standing(Reason.NO_MEMBERSHIP, Remedy.COME_BACK_LATER),
}


def standing(memberships: Iterable[Membership], now: datetime) -> Standing:
    """What the memberships allow at the gym that they are seen from.

    Where none covers this gym, one that is good elsewhere makes `wrong_gym`; otherwise the latest story counts.
    """
    held = list(memberships)
    if not held:
        return Standing(Reason.NO_MEMBERSHIP, Remedy.BUY_MEMBERSHIP)
    here = [_state(membership, now) for membership in held if membership.covers_gym]
    if here:
        return _STANDINGS[max(here)]
    elsewhere = max(_state(membership, now) for membership in held)
    if elsewhere >= _State.IN_GRACE:
        return Standing(Reason.WRONG_GYM, Remedy.CHANGE_PLAN)
    return _STANDINGS[elsewhere]


def _state(membership: Membership, now: datetime) -> _State:
    if now < membership.starts_at:
        return _State.NOT_STARTED
    if membership.in_arrears:
        return _State.IN_ARREARS  # past its end too: its days are withheld, not used up
    if now - membership.ends_at >= membership.grace:
        return _State.ENDED
    if _frozen(membership, now):
        return _State.FROZEN
    return _State.GOOD if now < membership.ends_at else _State.IN_GRACE


def _frozen(membership: Membership, now: datetime) -> bool:
    if membership.frozen_from is None or now < membership.frozen_from:
        return False
    return membership.frozen_until is None or now < membership.frozen_until
