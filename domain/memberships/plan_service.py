"""What an admin does with plans: create, change, retire, reopen."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from domain.companies.repository import CompanyRepository
from domain.ids import new_id
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN, Plan, PlanDetails, changed_plan, refuse_plan_price, refuse_version
from domain.memberships.refusals import MembershipProblem, MembershipRefusal


def create_plan(connection: Connection, details: PlanDetails, now: datetime) -> Plan | MembershipRefusal:
    """Create a plan of the company."""
    if refusal := refuse_plan_price(details.price):
        return refusal
    repository = PlanRepository(connection)
    company_id = CompanyRepository(connection).lock_or_create(now)
    if refusal := _refuse_gyms(repository, details, company_id):
        return refusal
    plan = Plan(new_id(), company_id, details)
    repository.add(plan, now)
    return plan


def change_plan(
    connection: Connection, plan_id: UUID, changes: Mapping[str, Any], expected: int | None
) -> Plan | MembershipRefusal:
    """Change a plan for later buyers.

    Args:
        changes: fields of `PlanDetails`.
        expected: the version that the caller has read; None accepts any version.
    """
    repository = PlanRepository(connection)
    plan = repository.plan(plan_id, lock=True)
    if plan is None or plan.retired_at is not None:
        return UNKNOWN_PLAN
    if refusal := refuse_version(plan, expected):
        return refusal
    changed = changed_plan(plan, changes, sold=repository.is_sold(plan_id))
    if isinstance(changed, MembershipRefusal) or changed == plan:
        return changed
    if refusal := _refuse_gyms(repository, changed.details, plan.company_id):
        return refusal
    repository.change(changed)
    return changed


def retire_plan(connection: Connection, plan_id: UUID, expected: int | None, now: datetime) -> Plan | MembershipRefusal:
    """Stop selling a plan. Members who have it keep it. Idempotent."""
    repository = PlanRepository(connection)
    plan = repository.plan(plan_id, lock=True)
    if plan is None:
        return UNKNOWN_PLAN
    if plan.retired_at is not None:
        return plan
    if refusal := refuse_version(plan, expected):
        return refusal
    retired = replace(plan, retired_at=now, version=plan.version + 1)
    repository.change(retired)
    return retired


def reopen_plan(connection: Connection, plan_id: UUID) -> Plan | MembershipRefusal:
    """Sell a retired plan again. Idempotent."""
    repository = PlanRepository(connection)
    plan = repository.plan(plan_id, lock=True)
    if plan is None:
        return UNKNOWN_PLAN
    if plan.retired_at is None:
        return plan
    reopened = replace(plan, retired_at=None, version=plan.version + 1)
    repository.change(reopened)
    return reopened


def _refuse_gyms(repository: PlanRepository, details: PlanDetails, company_id: UUID) -> MembershipRefusal | None:
    unknown = repository.unknown_gyms(details.gyms, company_id) if details.gyms else set()
    if not unknown:
        return None
    named = ", ".join(sorted(map(str, unknown)))
    return MembershipRefusal(MembershipProblem.UNKNOWN_GYM, f"There is no such gym: {named}.")
