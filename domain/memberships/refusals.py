"""Refusals about plans and memberships."""

from dataclasses import dataclass
from enum import StrEnum


class MembershipProblem(StrEnum):
    """Reasons for a refusal. Stable, because clients compare them."""

    UNKNOWN_PLAN = "unknown_plan"
    PLAN_SOLD = "plan_sold"
    PRICE_NOT_PAYABLE = "price_not_payable"
    CHANGED_MEANWHILE = "changed_meanwhile"
    UNKNOWN_MEMBER = "unknown_user"
    UNKNOWN_MEMBERSHIP = "unknown_membership"
    UNKNOWN_GYM = "unknown_gym"
    NOTHING_TO_FREEZE = "nothing_to_freeze"
    ALREADY_FROZEN = "already_frozen"
    NOT_FROZEN = "not_frozen"
    FREEZE_TOO_LONG = "freeze_too_long"
    SUSPENDED = "membership_suspended"
    TOO_LONG = "membership_too_long"


@dataclass(frozen=True, slots=True)
class MembershipRefusal:
    """A refused request and its reason. The detail says how to resolve it."""

    problem: MembershipProblem
    detail: str
