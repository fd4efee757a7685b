"""A membership as the door sees it."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Membership:
    """One membership of a member, seen from one gym.

    Args:
        starts_at, ends_at: the period paid for, `[starts_at, ends_at)`.
        grace: how long after the end the door still opens.
        frozen_from, frozen_until: the freeze, `[from, until)`; no until: until further notice.
        in_arrears: a payment was disputed or failed.
        covers_gym: whether its plan is good for this gym.
    """

    starts_at: datetime
    ends_at: datetime
    grace: timedelta
    frozen_from: datetime | None
    frozen_until: datetime | None
    in_arrears: bool
    covers_gym: bool
