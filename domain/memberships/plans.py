"""Plans: what is sold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.currencies import refuse_price
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from domain.money import Money

# What was sold was sold with these: another one is another plan.
_FIXED_ONCE_SOLD = ("days", "grace_days", "covers_all_gyms", "gyms")
UNKNOWN_PLAN = MembershipRefusal(
    MembershipProblem.UNKNOWN_PLAN,
    "There is no such plan, or it is not sold any more. `GET /plans` lists those that are.",
)


@dataclass(frozen=True, slots=True)
class PlanDetails:
    """What an admin says of a plan.

    Args:
        days: whole days that it lasts.
        price: gross.
        grace_days: how long after the end the door still opens.
        covers_all_gyms: of the company; else those of `gyms`.
    """

    name: str
    days: int
    price: Money
    grace_days: int = 3
    covers_all_gyms: bool = True
    gyms: frozenset[UUID] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is kept. `version` rises with every change; one that is retired is not sold any more."""

    id: UUID
    company_id: UUID
    details: PlanDetails
    version: int = 1
    retired_at: datetime | None = None

    @property
    def covers(self) -> tuple[UUID, bool, frozenset[UUID]]:
        """Where it is good: plans that are equal in this prolong one another."""
        return self.company_id, self.details.covers_all_gyms, self.details.gyms


def refuse_version(plan: Plan, expected: int | None) -> MembershipRefusal | None:
    """Why a plan of another version than expected is not changed; None when it is."""
    if expected is None or expected == plan.version:
        return None
    return MembershipRefusal(
        MembershipProblem.CHANGED_MEANWHILE,
        f"The plan is version {plan.version} by now, not {expected}. Read it again and decide anew.",
    )


def refuse_plan_price(price: Money) -> MembershipRefusal | None:
    """Why the payment provider cannot charge a price; None when it can."""
    refusal = refuse_price(price.amount, price.currency)
    return MembershipRefusal(MembershipProblem.PRICE_NOT_PAYABLE, refusal) if refusal else None


def changed_plan(plan: Plan, changes: Mapping[str, Any], *, sold: bool) -> Plan | MembershipRefusal:
    """A plan with some of its details changed.

    Args:
        changes: fields of `PlanDetails`.
        sold: whether anybody has bought it: then its name and price may change, for those who come.
    """
    details = replace(plan.details, **changes)
    if details == plan.details:
        return plan
    fixed = [name for name in _FIXED_ONCE_SOLD if getattr(details, name) != getattr(plan.details, name)]
    if details.price.currency != plan.details.price.currency:
        fixed.append("currency")
    if sold and fixed:
        return MembershipRefusal(
            MembershipProblem.PLAN_SOLD,
            f"The plan has been sold, so its {', '.join(fixed)} stays. Make another plan and retire this one.",
        )
    if details.price != plan.details.price and (refusal := refuse_plan_price(details.price)):
        return refusal
    return replace(plan, details=details, version=plan.version + 1)
