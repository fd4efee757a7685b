"""Plans that members buy, and rules about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.currencies import refuse_price
from domain.memberships.refusals import MembershipProblem, MembershipRefusal
from domain.money import Money

# Buyers have paid for these. A plan with other values is another plan.
_FIXED_ONCE_SOLD = ("days", "grace_days", "covers_all_gyms", "gyms")
UNKNOWN_PLAN = MembershipRefusal(
    MembershipProblem.UNKNOWN_PLAN,
    "There is no such plan, or it is no longer on sale. `GET /plans` lists the plans on sale.",
)


@dataclass(frozen=True, slots=True)
class PlanDetails:
    """The settings of a plan.

    Args:
        days: its duration in whole days.
        price: gross.
        grace_days: how long after the end members may still enter.
        covers_all_gyms: all gyms of the company; otherwise those in `gyms`.
    """

    name: str
    days: int
    price: Money
    grace_days: int = 3
    covers_all_gyms: bool = True
    gyms: frozenset[UUID] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it is stored. `version` rises with every change. A retired plan is not on sale."""

    id: UUID
    company_id: UUID
    details: PlanDetails
    version: int = 1
    retired_at: datetime | None = None

    @property
    def covers(self) -> tuple[UUID, bool, frozenset[UUID]]:
        """Where the plan is valid. A purchase extends a membership whose plan is equal in this."""
        return self.company_id, self.details.covers_all_gyms, self.details.gyms


def refuse_version(plan: Plan, expected: int | None) -> MembershipRefusal | None:
    """Why a change is refused because of its expected version; None if it is not."""
    if expected is None or expected == plan.version:
        return None
    return MembershipRefusal(
        MembershipProblem.CHANGED_MEANWHILE,
        f"The plan has changed: it is at version {plan.version}, not {expected}. Read it again and repeat the change.",
    )


def refuse_plan_price(price: Money) -> MembershipRefusal | None:
    """Why the payment provider cannot charge a price; None if it can."""
    refusal = refuse_price(price.amount, price.currency)
    return MembershipRefusal(MembershipProblem.PRICE_NOT_PAYABLE, refusal) if refusal else None


def changed_plan(plan: Plan, changes: Mapping[str, Any], *, sold: bool) -> Plan | MembershipRefusal:
    """A plan with changed details.

    Args:
        changes: fields of `PlanDetails`.
        sold: whether anybody has bought the plan. If so, only its name and price may change, for later buyers.
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
            f"The plan was sold, so its {', '.join(fixed)} cannot change. Create another plan and retire this one.",
        )
    if details.price != plan.details.price and (refusal := refuse_plan_price(details.price)):
        return refusal
    return replace(plan, details=details, version=plan.version + 1)
