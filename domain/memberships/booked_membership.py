"""A membership together with the balance of its ledger."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.memberships.days import begin_of, day_of
from domain.memberships.ledger import LedgerBalance, Method
from domain.memberships.model import Membership, MembershipView
from domain.memberships.plans import Plan
from domain.memberships.rules import state_of


@dataclass(frozen=True, slots=True)
class BookingOrigin:
    """Who makes a booking, and why.

    Args:
        by_id: None: the payment provider or the system.
        effect: names an effect that happens once; a second booking of it is refused by the database.
    """

    by_id: UUID | None
    reason: str
    method: Method | None = None
    effect: str | None = None


@dataclass(frozen=True, slots=True)
class BookedMembership:
    """A membership, and what its ledger adds up to."""

    id: UUID
    member_id: UUID
    plan: Plan
    time_zone: str
    balance: LedgerBalance

    def today(self, now: datetime) -> date:
        """The present day in the time zone of the membership."""
        return day_of(now, self.time_zone)


def projection(balance: LedgerBalance, time_zone: str) -> dict[str, Any]:
    """The columns of `memberships` that follow from the ledger.

    Raises:
        ValueError: no day was ever granted.
    """
    starts_on, ends_on = balance.starts_on, balance.ends_on
    if starts_on is None or ends_on is None:
        raise ValueError("nothing was ever granted")
    freeze, since = balance.freeze, balance.suspended_since
    return {
        "starts_at": begin_of(min(starts_on, ends_on), time_zone),
        "ends_at": begin_of(ends_on, time_zone),
        "frozen_from": begin_of(freeze.start, time_zone) if freeze else None,
        "frozen_until": begin_of(freeze.end, time_zone) if freeze else None,
        "in_arrears_since": begin_of(since, time_zone) if since else None,
        "without_grace": balance.without_grace,
    }


def grace_until(membership: BookedMembership) -> date | None:
    """The first day after the grace period; None before the first grant."""
    ends_on = membership.balance.ends_on
    grace = 0 if membership.balance.without_grace else membership.plan.details.grace_days
    # An end that versions before `LONGEST_AHEAD` allowed may be close to the last day of the calendar.
    return ends_on + min(timedelta(days=grace), date.max - ends_on) if ends_on else None


def view_of(membership: BookedMembership, now: datetime) -> MembershipView:
    """The membership as its member sees it."""
    balance, details, today = membership.balance, membership.plan.details, membership.today(now)
    columns = projection(balance, membership.time_zone)
    starts_at, ends_at = columns["starts_at"], columns["ends_at"]
    ends_on, grace_ends_on = balance.ends_on, grace_until(membership)
    assert ends_on and grace_ends_on and balance.starts_on  # noqa: S101, PT018 - `projection` requires a grant
    freeze = balance.freeze if balance.freeze and balance.freeze.end > today else None
    seen = Membership(
        starts_at=starts_at,
        ends_at=ends_at,
        grace=begin_of(grace_ends_on, membership.time_zone) - ends_at,
        frozen_from=columns["frozen_from"],
        frozen_until=columns["frozen_until"],
        in_arrears=balance.suspended_since is not None,
        covers_gym=True,
    )
    coverage = balance.coverage
    return MembershipView(
        id=membership.id,
        plan_id=membership.plan.id,
        plan_name=details.name,
        covers_all_gyms=details.covers_all_gyms,
        gyms=tuple(sorted(details.gyms)),
        time_zone=membership.time_zone,
        starts_on=min(balance.starts_on, ends_on),
        ends_on=ends_on,
        ends_at=ends_at,
        days_left=coverage.days() - coverage.days_before(balance.counted_from(today)),
        grace_until=grace_ends_on,
        frozen_from=freeze.start if freeze else None,
        frozen_until=freeze.end if freeze else None,
        suspended_since=balance.suspended_since,
        state=state_of(seen, now),
    )
