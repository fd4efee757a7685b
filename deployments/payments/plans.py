"""The services of plans, and of the company that sells them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, write_once
from domain.clock import Clock
from domain.companies.model import Company
from domain.companies.repository import CompanyRepository
from domain.memberships import plan_service
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.refusals import MembershipRefusal
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store


class PlanService:
    """Plans. `expected` is the version that the caller has read; None accepts any version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def plans(self, request: PageRequest, *, retired: bool) -> Page[Plan]:
        """The plans on sale, or the retired ones."""
        with self._store.reading() as connection:
            return PlanRepository(connection).plans(request, retired=retired)

    def plan(self, plan_id: UUID) -> Plan | None:
        """One plan, retired or not."""
        with self._store.reading() as connection:
            return PlanRepository(connection).plan(plan_id)

    def create(self, details: PlanDetails, *, call: IdempotentCall | None = None) -> Plan | MembershipRefusal:
        """Create a plan."""
        return write_once(
            self._store, call, Plan, lambda connection: plan_service.create_plan(connection, details, self._clock())
        )

    def change(self, plan_id: UUID, changes: Mapping[str, Any], expected: int | None) -> Plan | MembershipRefusal:
        """Change a plan for later buyers."""
        return self._store.written(lambda connection: plan_service.change_plan(connection, plan_id, changes, expected))

    def retire(self, plan_id: UUID, expected: int | None) -> Plan | MembershipRefusal:
        """Stop selling a plan."""
        return self._store.written(
            lambda connection: plan_service.retire_plan(connection, plan_id, expected, self._clock())
        )

    def reopen(self, plan_id: UUID) -> Plan | MembershipRefusal:
        """Sell a retired plan again."""
        return self._store.written(lambda connection: plan_service.reopen_plan(connection, plan_id))


class CompanyService:
    """The company that sells the plans."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def company(self) -> Company:
        """The company; created if there is none yet."""
        return self.change({})

    def change(self, changes: Mapping[str, str | int]) -> Company:
        """Change what later invoices say of the company. `changes` are fields of `Company`."""

        def change(connection: Connection) -> Company:
            companies = CompanyRepository(connection)
            company_id = companies.lock_or_create(self._clock())
            companies.change(company_id, changes)
            return companies.company(company_id)

        return self._store.written(change)
