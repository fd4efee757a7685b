"""Payments at the desk: cash or a card terminal, taken by somebody of the staff; the same ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.days import begin_of, day_of
from domain.memberships.ledger import EntryKind, Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.memberships.tables import ledger_entries
from domain.payments.checkout import new_order
from domain.payments.model import UNKNOWN_MEMBER, UNKNOWN_ORDER, Order, OrderState, PaymentProblem, PaymentRefusal
from domain.payments.order_booking import OrderBooking
from domain.payments.ports import Buyer


def sell_at_desk(
    connection: Connection,
    member_id: UUID,
    plan_id: UUID,
    method: Method,
    by_id: UUID,
    now: datetime,
    *,
    buyer: Buyer | None = None,
) -> Order | PaymentRefusal | MembershipRefusal:
    """Sell a plan to somebody who has paid: order, days, and invoice at once."""
    if not LedgerRepository(connection).lock_member(member_id):
        return UNKNOWN_MEMBER
    plan = PlanRepository(connection).plan(plan_id)
    if plan is None or plan.retired_at is not None:
        return UNKNOWN_PLAN
    order = new_order(connection, member_id, plan, method, now, by_id=by_id)
    if not isinstance(order, Order):
        return order
    booking = OrderBooking(connection, order, now)
    booking.pay(buyer, BookingOrigin(by_id, "paid at the desk", method, f"order:{order.id}"))
    return booking.order


def reverse_at_desk(
    connection: Connection, order_id: UUID, reason: str, by_id: UUID, now: datetime
) -> Order | PaymentRefusal:
    """Take back a payment at the desk that was a mistake, the same day. Later it is a refund."""
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_ORDER
    order = booking.order
    if order.state is OrderState.REVERSED:
        return order
    if order.method is Method.STRIPE or not order.is_fulfilled or order.refunded:
        return PaymentRefusal(
            PaymentProblem.NOT_REVERSIBLE, "Only a payment at the desk of which nothing was given back can be reversed."
        )
    held = LedgerRepository(connection).held(order.membership_id) if order.membership_id else None
    if held is None or order.paid_at is None or held.today(order.paid_at) != held.today(now):
        return PaymentRefusal(
            PaymentProblem.NOT_REVERSIBLE, "A payment is reversed on its own day only. Give the money back: a refund."
        )
    booked = connection.execute(
        select(ledger_entries.c.booking_id).where(ledger_entries.c.effect == f"order:{order.id}")
    ).scalar_one()
    booking.reverse(booked, BookingOrigin(by_id, reason, order.method, f"reversal:{order.id}"))
    return booking.order


@dataclass(frozen=True, slots=True)
class Takings:
    """What somebody of the staff took and gave back on one day, by method and currency, in minor units."""

    by_id: UUID
    method: Method
    currency: str
    sales: int
    taken: int
    given_back: int

    @property
    def kept(self) -> int:
        """What is to be in the till."""
        return self.taken - self.given_back


def end_of_day(connection: Connection, day: datetime, time_zone: str) -> list[Takings]:
    """The takings at desks of the day on which a moment lies, by staff member, method and currency."""
    local = day_of(day, time_zone)
    begin, end = begin_of(local, time_zone), begin_of(local + timedelta(days=1), time_zone)
    rows = connection.execute(
        select(ledger_entries)
        .where(
            ledger_entries.c.method.in_([Method.CASH, Method.CARD_TERMINAL]),
            ledger_entries.c.amount.is_not(None),
            ledger_entries.c.created_at >= begin,
            ledger_entries.c.created_at < end,
            ledger_entries.c.by_id.is_not(None),
        )
        .order_by(ledger_entries.c.id)
    ).all()
    sums: dict[tuple[UUID, Method, str], list[int]] = {}
    for row in rows:
        found = sums.setdefault((row.by_id, Method(row.method), row.currency), [0, 0, 0])
        found[0] += row.kind == EntryKind.PURCHASE
        found[1] += max(row.amount, 0)
        found[2] += max(-row.amount, 0)
    return [
        Takings(by_id, method, currency, *figures) for (by_id, method, currency), figures in sorted(
            sums.items(), key=lambda item: (str(item[0][0]), item[0][1], item[0][2])
        )
    ]  # fmt: skip
