"""What the Payments deployment answers about plans, and about the company that sells them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update

from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk
from domain.companies.tables import companies
from domain.gyms.registry import GymRegistry
from domain.memberships.plan_repository import (
    PlanRepository,
    change_plan,
    create_plan,
    reopen_plan,
    retire_plan,
)
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.refusals import MembershipRefusal
from domain.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class Company:
    """Who sells, as it stands on invoices. `vat_rate_bp`: in hundredths of a percent, of what is sold from now on."""

    id: UUID
    name: str
    address: str
    vat_number: str
    vat_rate_bp: int


class PlansDesk(StoreDesk):
    """Answers about plans."""

    def plans(self, asked: PageRequest, *, retired: bool) -> Page[Plan]:
        """Plans that are sold, or those that were."""
        with self._reading() as connection:
            return PlanRepository(connection).plans(asked, retired=retired)

    def plan(self, plan_id: UUID) -> Plan | None:
        """One plan, retired or not."""
        with self._reading() as connection:
            return PlanRepository(connection).plan(plan_id)

    def create_plan(self, details: PlanDetails, *, call: KeyedCall | None = None) -> Plan | MembershipRefusal:
        """Add a plan."""
        return self._written_once(call, Plan, lambda connection: create_plan(connection, details, self._clock()))

    def change_plan(self, plan_id: UUID, changes: Mapping[str, Any], expected: int | None) -> Plan | MembershipRefusal:
        """Change a plan for those who come."""
        return self._written(lambda connection: change_plan(connection, plan_id, changes, expected))

    def retire_plan(self, plan_id: UUID, expected: int | None) -> Plan | MembershipRefusal:
        """Sell a plan no more."""
        return self._written(lambda connection: retire_plan(connection, plan_id, expected, self._clock()))

    def reopen_plan(self, plan_id: UUID) -> Plan | MembershipRefusal:
        """Sell a retired plan again."""
        return self._written(lambda connection: reopen_plan(connection, plan_id))

    def company(self) -> Company:
        """The company that there is; made where there is none yet."""
        return self._written(lambda connection: _company(connection, self._held_company(connection)))

    def change_company(self, changes: Mapping[str, str | int]) -> Company:
        """Change what stands on invoices from now on."""

        def change(connection: Connection) -> Company:
            company_id = self._held_company(connection)
            if changes:
                connection.execute(update(companies).where(companies.c.id == company_id).values(**changes))
            return _company(connection, company_id)

        return self._written(change)

    def _held_company(self, connection: Connection) -> UUID:
        return GymRegistry(connection).locked_company(self._clock())


def _company(connection: Connection, company_id: UUID) -> Company:
    row = connection.execute(select(companies).where(companies.c.id == company_id)).one()
    return Company(row.id, row.name, row.address, row.vat_number, row.vat_rate_bp)
