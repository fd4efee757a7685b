"""Memberships, and the views of them that the door and members get."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.door.model import Remedy


@dataclass(frozen=True, slots=True)
class Membership:
    """One membership of a member, as one gym sees it.

    Args:
        starts_at, ends_at: the paid period, `[starts_at, ends_at)`.
        grace: how long after the end the member may still enter.
        frozen_from, frozen_until: the freeze, `[from, until)`; without `until` it has no end.
        in_arrears: a payment was disputed or failed.
        covers_gym: whether its plan is valid for this gym.
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
    """One membership of a member, before one gym looks at it.

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
        """The membership as one gym of a company sees it."""
        return Membership(
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            grace=self.grace,
            frozen_from=self.frozen_from,
            frozen_until=self.frozen_until,
            in_arrears=self.in_arrears,
            covers_gym=(self.covers_all_gyms and self.company_id == company_id) or gym_id in self.gyms,
        )


class MembershipState(StrEnum):
    """The state of a membership, or of all memberships of a member together."""

    NONE = "none"
    NOT_STARTED = "not_started"
    ACTIVE = "active"
    GRACE = "grace"
    FROZEN = "frozen"
    SUSPENDED = "suspended"
    ENDED = "ended"
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class MembershipView:
    """A membership as its member sees it. Days are those of `time_zone`.

    Args:
        ends_on: the first day that is not paid for.
        grace_until: the first day on which the door refuses the member.
        frozen_from, frozen_until: of a freeze that has not ended, `[from, until)`.
    """

    id: UUID
    plan_id: UUID
    plan_name: str
    covers_all_gyms: bool
    gyms: tuple[UUID, ...]
    time_zone: str
    starts_on: date
    ends_on: date
    ends_at: datetime
    days_left: int
    grace_until: date
    frozen_from: date | None
    frozen_until: date | None
    suspended_since: date | None
    state: MembershipState


@dataclass(frozen=True, slots=True)
class MemberView:
    """What a member has, seen from a gym that the memberships cover.

    Args:
        state: of the membership that counts, `NONE` without one, or `BANNED`.
        remedy: what the member can do next; None: nothing is needed.
        memberships: the one that lasts longest comes first.
    """

    member_id: UUID
    state: MembershipState
    remedy: Remedy | None
    reminder_mails: bool
    memberships: tuple[MembershipView, ...]
