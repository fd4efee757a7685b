"""Plans in the database."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.gyms.tables import gyms
from domain.memberships.plans import Plan, PlanDetails
from domain.memberships.tables import memberships, plan_gyms, plans
from domain.money import Money
from domain.paging import Page, PageRequest, page
from domain.payments.tables import orders


class PlanRepository:
    """Reads and writes plans in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def plan(self, plan_id: UUID, *, lock: bool = False) -> Plan | None:
        """A plan, retired or not."""
        query = select(plans).where(plans.c.id == plan_id)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return self._with_gyms([row])[0] if row else None

    def plans(self, request: PageRequest, *, retired: bool = False) -> Page[Plan]:
        """The plans on sale, or the retired ones, in the order of their creation."""
        query = select(plans).where(plans.c.retired_at.is_not(None) if retired else plans.c.retired_at.is_(None))
        if request.after is not None:
            query = query.where(plans.c.id > request.after)
        rows = self._connection.execute(query.order_by(plans.c.id).limit(request.fetch)).all()
        return page(self._with_gyms(rows), request, lambda plan: plan.id)

    def of_price(self, price: Money) -> Plan | None:
        """The plan on sale at a price; the oldest, if there are several."""
        row = self._connection.execute(
            select(plans)
            .where(
                plans.c.price_amount == price.amount,
                plans.c.price_currency == price.currency,
                plans.c.retired_at.is_(None),
            )
            .order_by(plans.c.covers_all_gyms.desc(), plans.c.id)
            .limit(1)
        ).one_or_none()
        return self._with_gyms([row])[0] if row else None

    def time_zone_of(self, plan: Plan) -> str:
        """The time zone of a plan's days: that of its first gym, or UTC if it has no gym."""
        query = select(gyms.c.time_zone).where(gyms.c.company_id == plan.company_id)
        if not plan.details.covers_all_gyms:
            query = query.where(gyms.c.id.in_(plan.details.gyms))
        found: str | None = self._connection.execute(query.order_by(gyms.c.legacy_number).limit(1)).scalar_one_or_none()
        return found or "UTC"

    def unknown_gyms(self, gym_ids: Collection[UUID], company_id: UUID) -> set[UUID]:
        """Those of the gyms that the company does not have."""
        known = select(gyms.c.id).where(gyms.c.id.in_(gym_ids), gyms.c.company_id == company_id)
        return set(gym_ids) - set(self._connection.execute(known).scalars())

    def is_sold(self, plan_id: UUID) -> bool:
        """Whether there is an order or a membership of a plan."""
        return any(
            self._connection.execute(select(column).where(column == plan_id).limit(1)).first()
            for column in (orders.c.plan_id, memberships.c.plan_id)
        )

    def add(self, plan: Plan, now: datetime) -> None:
        """Insert a plan."""
        self._connection.execute(
            insert(plans).values(id=plan.id, company_id=plan.company_id, created_at=now, **_columns(plan))
        )
        self._set_gyms(plan)

    def change(self, plan: Plan) -> None:
        """Update a plan."""
        self._connection.execute(update(plans).where(plans.c.id == plan.id).values(**_columns(plan)))
        self._connection.execute(delete(plan_gyms).where(plan_gyms.c.plan_id == plan.id))
        self._set_gyms(plan)

    def remove(self, plan_id: UUID) -> None:
        """Delete a plan that nobody has bought."""
        self._connection.execute(delete(plan_gyms).where(plan_gyms.c.plan_id == plan_id))
        self._connection.execute(delete(plans).where(plans.c.id == plan_id))

    def _set_gyms(self, plan: Plan) -> None:
        if plan.details.gyms:
            rows = [{"plan_id": plan.id, "gym_id": gym_id} for gym_id in plan.details.gyms]
            self._connection.execute(insert(plan_gyms), rows)

    def _with_gyms(self, rows: Collection[Row[*tuple[Any, ...]]]) -> list[Plan]:
        listed: dict[UUID, set[UUID]] = {row.id: set() for row in rows}
        named = select(plan_gyms).where(plan_gyms.c.plan_id.in_(listed))
        for row in self._connection.execute(named) if listed else ():
            listed[row.plan_id].add(row.gym_id)
        return [_plan(row, frozenset(listed[row.id])) for row in rows]


def _columns(plan: Plan) -> dict[str, Any]:
    details = plan.details
    return {
        "name": details.name,
        "days": details.days,
        "price_amount": details.price.amount,
        "price_currency": details.price.currency,
        "grace_days": details.grace_days,
        "covers_all_gyms": details.covers_all_gyms,
        "version": plan.version,
        "retired_at": plan.retired_at,
    }


def _plan(row: Row[*tuple[Any, ...]], listed: frozenset[UUID]) -> Plan:
    details = PlanDetails(
        row.name, row.days, Money(row.price_amount, row.price_currency), row.grace_days, row.covers_all_gyms, listed
    )
    return Plan(row.id, row.company_id, details, row.version, row.retired_at)
