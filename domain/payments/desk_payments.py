"""Payments that staff take at the desk, in cash or by card terminal. They use the same ledger."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.days import begin_of, day_of
from domain.memberships.ledger import EntryKind, Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
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
    """Sell a plan to a member who has paid: writes order, days and invoice together."""
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
    """Reverse a mistaken payment at the desk on the same day. Later it takes a refund."""
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_ORDER
    order = booking.order
    if order.state is OrderState.REVERSED:
        return order
    if order.method is Method.STRIPE or not order.is_fulfilled or order.refunded:
        return PaymentRefusal(
            PaymentProblem.NOT_REVERSIBLE, "Only a payment at the desk without refunds can be reversed."
        )
    held = LedgerRepository(connection).held(order.membership_id) if order.membership_id else None
    if held is None or order.paid_at is None or held.today(order.paid_at) != held.today(now):
        return PaymentRefusal(
            PaymentProblem.NOT_REVERSIBLE, "A payment can only be reversed on its own day. Use a refund."
        )
    booked_id = LedgerRepository(connection).booking_of(f"order:{order.id}")
    booking.reverse(booked_id, BookingOrigin(by_id, reason, order.method, f"reversal:{order.id}"))
    return booking.order


@dataclass(frozen=True, slots=True)
class Takings:
    """What one staff member took and gave back on one day, by method and currency, in minor units."""

    by_id: UUID
    method: Method
    currency: str
    sales: int
    taken: int
    given_back: int

    @property
    def kept(self) -> int:
        """The amount that should be in the till."""
        return self.taken - self.given_back


def end_of_day(connection: Connection, day: datetime, time_zone: str) -> list[Takings]:
    """The takings on the day of a moment, by staff member, method and currency."""
    local = day_of(day, time_zone)
    begin, end = begin_of(local, time_zone), begin_of(local + timedelta(days=1), time_zone)
    rows = LedgerRepository(connection).desk_entries(begin, end)
    sums: dict[tuple[UUID, Method, str], list[int]] = {}
    for by_id, method, kind, money in rows:
        found = sums.setdefault((by_id, method, money.currency), [0, 0, 0])
        found[0] += kind is EntryKind.PURCHASE
        found[1] += max(money.amount, 0)
        found[2] += max(-money.amount, 0)
    return [
        Takings(by_id, method, currency, *figures) for (by_id, method, currency), figures in sorted(
            sums.items(), key=lambda item: (str(item[0][0]), item[0][1], item[0][2])
        )
    ]  # fmt: skip
