"""A membership as the door sees it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID


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


@dataclass(frozen=True, slots=True)
class HeldMembership:
    """One membership of a member, to be seen from any gym.

    Args:
        starts_at, ends_at, grace, frozen_from, frozen_until, in_arrears: as in `Membership`.
        company_id: whose plan it is.
        covers_all_gyms: of that company.
        gyms: those that the plan names.
    """

    starts_at: datetime
    ends_at: datetime
    grace: timedelta
    frozen_from: datetime | None
    frozen_until: datetime | None
    in_arrears: bool
    company_id: UUID
    covers_all_gyms: bool
    gyms: set[UUID] = field(default_factory=set)

    def seen_from(self, gym_id: UUID, company_id: UUID) -> Membership:
        """As one gym of a company sees it."""
        return Membership(
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            grace=self.grace,
            frozen_from=self.frozen_from,
            frozen_until=self.frozen_until,
            in_arrears=self.in_arrears,
            covers_gym=(self.covers_all_gyms and self.company_id == company_id) or gym_id in self.gyms,
        )
