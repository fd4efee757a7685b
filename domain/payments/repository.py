"""Orders, refunds and disputes in the database."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from domain.identity.tables import users
from domain.ids import new_id
from domain.memberships.ledger import Method
from domain.money import Money
from domain.paging import Page, PageRequest, page
from domain.payments.model import AWAITED, DisputeState, Order, OrderState, Refund, RefundState
from domain.payments.ports import ProvidedDispute, ProvidedRefund
from domain.payments.tables import disputes, open_orders, orders, refunds


class OrderRepository:
    """Reads and writes orders in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def order(self, order_id: UUID, *, lock: bool = False) -> Order | None:
        """An order; with `lock` locked until the unit of work ends."""
        return self._one(orders.c.id == order_id, lock=lock)

    def of_payment(self, payment_intent_id: str) -> Order | None:
        """The order with a payment."""
        return self._one(orders.c.payment_intent_id == payment_intent_id)

    def of_session(self, session_id: str) -> Order | None:
        """The order with a checkout page."""
        return self._one(orders.c.session_id == session_id)

    def email_of(self, member_id: UUID) -> str | None:
        """The mail address of a member; None if there is none."""
        email: str | None = self._connection.execute(select(users.c.email).where(users.c.id == member_id)).scalar_one()
        return email

    def orders_of(self, member_id: UUID, request: PageRequest) -> Page[Order]:
        """The orders of a member, newest first."""
        query = select(orders).where(orders.c.member_id == member_id)
        if request.after is not None:
            query = query.where(orders.c.id < request.after)
        rows = self._connection.execute(query.order_by(orders.c.id.desc()).limit(request.fetch)).all()
        return page([order_of(row) for row in rows], request, lambda order: order.id)

    def add(self, order: Order) -> None:
        """Insert an order."""
        self._connection.execute(insert(orders).values(_columns(order)))
        if order.state in AWAITED:
            row = {"order_id": order.id, "member_id": order.member_id, "checked_at": order.created_at}
            self._connection.execute(insert(open_orders).values(**row))

    def change(self, order: Order) -> None:
        """Update an order."""
        self._connection.execute(update(orders).where(orders.c.id == order.id).values(_columns(order)))
        if order.state not in AWAITED:
            self._connection.execute(delete(open_orders).where(open_orders.c.order_id == order.id))

    def checked(self, order_ids: Collection[UUID], now: datetime) -> None:
        """Store that open orders were compared with the provider."""
        self._connection.execute(
            update(open_orders).where(open_orders.c.order_id.in_(order_ids)).values(checked_at=now)
        )

    def asked_refunds(self, before: datetime, at_most: int) -> list[Refund]:
        """Refunds that were sent before a moment and have no answer."""
        query = (
            select(refunds)
            .where(refunds.c.state == RefundState.ASKED, refunds.c.created_at < before)
            .order_by(refunds.c.id)
            .limit(at_most)
        )
        return [_refund(row) for row in self._connection.execute(query)]

    def open_of(self, member_id: UUID) -> list[UUID]:
        """The open orders of a member, newest first."""
        query = select(open_orders.c.order_id).where(open_orders.c.member_id == member_id)
        return list(self._connection.execute(query.order_by(open_orders.c.order_id.desc())).scalars())

    def open_days_of(self, member_id: UUID) -> int:
        """The sum of the days of a member's open orders."""
        query = select(func.sum(orders.c.days)).join(open_orders, open_orders.c.order_id == orders.c.id)
        return int(self._connection.execute(query.where(open_orders.c.member_id == member_id)).scalar_one() or 0)

    def open_unchecked_since(self, moment: datetime) -> tuple[list[UUID], datetime | None]:
        """Open orders that were last compared before a moment; the least recently compared comes first.

        Returns:
            Their ids, and when the oldest of them was created.
        """
        unchecked = open_orders.c.checked_at <= moment
        ids = select(open_orders.c.order_id).where(unchecked).order_by(open_orders.c.checked_at)
        of_them = select(func.min(orders.c.created_at)).join(open_orders, open_orders.c.order_id == orders.c.id)
        oldest: datetime | None = self._connection.execute(of_them.where(unchecked)).scalar_one_or_none()
        return list(self._connection.execute(ids).scalars()), oldest

    def orders_by_id(self, order_ids: Collection[UUID]) -> list[Order]:
        """Those of the orders that exist."""
        query = select(orders).where(orders.c.id.in_(order_ids)).order_by(orders.c.id)
        return [order_of(row) for row in self._connection.execute(query)]

    def refunds_of(self, order_id: UUID) -> list[Refund]:
        """The refunds of an order, oldest first."""
        query = select(refunds).where(refunds.c.order_id == order_id).order_by(refunds.c.id)
        return [_refund(row) for row in self._connection.execute(query)]

    def refund(self, refund_id: UUID) -> Refund | None:
        """A refund."""
        row = self._connection.execute(select(refunds).where(refunds.c.id == refund_id)).one_or_none()
        return _refund(row) if row else None

    def add_refund(self, refund: Refund) -> None:
        """Insert a refund."""
        self._connection.execute(insert(refunds).values(asdict(refund)))

    def change_refund(self, refund: Refund) -> None:
        """Update a refund."""
        self._connection.execute(update(refunds).where(refunds.c.id == refund.id).values(asdict(refund)))

    def same_refund(self, order_id: UUID, provided: ProvidedRefund) -> Refund:
        """The refund with the id of a refund at the provider; inserted if it was made there."""
        found = self._connection.execute(
            select(refunds).where(
                (refunds.c.provider_id == provided.provider_id)
                | ((refunds.c.id == provided.ours) if provided.ours else (refunds.c.id == new_id()))
            )
        ).first()
        if found is not None:
            return _refund(found)
        made = Refund(
            new_id(), order_id, provided.provider_id, provided.amount, provided.state, 0, "made at the provider", None,
            provided.created_at,
        )  # fmt: skip
        self.add_refund(made)
        return made

    def dispute_state(self, provider_id: str) -> DisputeState | None:
        """The state of a dispute; None if it is new."""
        query = select(disputes.c.state).where(disputes.c.provider_id == provider_id)
        found: str | None = self._connection.execute(query).scalar_one_or_none()
        return DisputeState(found) if found else None

    def open_disputes(self, order_id: UUID) -> int:
        """The number of open disputes of an order."""
        query = select(disputes.c.id).where(disputes.c.order_id == order_id, disputes.c.state == DisputeState.OPEN)
        return len(self._connection.execute(query).all())

    def add_dispute(self, order_id: UUID, dispute: ProvidedDispute, now: datetime) -> None:
        """Insert an open dispute."""
        self._connection.execute(
            insert(disputes).values(
                id=new_id(), order_id=order_id, provider_id=dispute.provider_id, amount=dispute.amount,
                state=DisputeState.OPEN, opened_at=now,
            )
        )  # fmt: skip

    def close_dispute(self, provider_id: str, state: DisputeState, now: datetime) -> None:
        """Close a dispute."""
        self._connection.execute(
            update(disputes).where(disputes.c.provider_id == provider_id).values(state=state, closed_at=now)
        )

    def _one(self, condition: ColumnElement[bool], *, lock: bool = False) -> Order | None:
        query = select(orders).where(condition)
        row = self._connection.execute(query.with_for_update() if lock else query).one_or_none()
        return order_of(row) if row else None


def order_of(row: Row[*tuple[Any, ...]]) -> Order:
    """An order from its row."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    price = Money(values.pop("amount"), values.pop("currency"))
    return Order(**{**values, "price": price, "method": Method(row.method), "state": OrderState(row.state)})


def _columns(order: Order) -> dict[str, Any]:
    values = asdict(order)
    price = values.pop("price")
    return {**values, "amount": price["amount"], "currency": price["currency"]}


def _refund(row: Row[*tuple[Any, ...]]) -> Refund:
    return Refund(**{**row._mapping, "state": RefundState(row.state)})  # noqa: SLF001 - as above
