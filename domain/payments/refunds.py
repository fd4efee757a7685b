"""Refunds that staff request."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.clock import Clock
from domain.currencies import currency_of
from domain.ids import new_id
from domain.memberships.booked_membership import BookingOrigin
from domain.memberships.ledger import Method
from domain.payments.model import (
    UNKNOWN_ORDER,
    Order,
    OrderState,
    PaymentProblem,
    PaymentRefusal,
    Refund,
    RefundState,
)
from domain.payments.order_booking import OrderBooking
from domain.payments.ports import PaymentProvider, PaymentRefusedError
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store

_REMEMBERED = timedelta(hours=23)  # Stripe removes idempotency keys after 24 h at the earliest


class Refunds:
    """Refunds orders: first stored, then sent to the provider, then booked as the provider reports."""

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._settlement = OrderSettlement(store, provider, clock)

    def carry_out(self, refund: Refund) -> Order | PaymentRefusal:
        """Send a stored refund to the provider. Sent again, it stays one refund.

        Raises:
            PaymentsUnavailableError: the provider does not answer. The refund stays stored and is sent again later.
        """
        with self._store.reading() as connection:
            order = OrderRepository(connection).order(refund.order_id)
        if order is None:
            return UNKNOWN_ORDER
        if self._clock() - refund.created_at > _REMEMBERED:
            # The provider may have forgotten the key, so sending again could refund twice: read the order first.
            settled = self._settlement.settle(order.id)
            if not self._is_asked(refund):
                return settled
        try:
            self._provider.refund(order, refund.amount, refund.id)
        except PaymentRefusedError as refused:
            if self._store.written(lambda connection: _failed(connection, refund, self._clock())):
                return PaymentRefusal(PaymentProblem.REFUSED, f"The payment provider refuses the refund ({refused}).")
        return self._settlement.settle(order.id)

    def _is_asked(self, refund: Refund) -> bool:
        with self._store.reading() as connection:
            known = OrderRepository(connection).refund(refund.id)
        return known is not None and known.state is RefundState.ASKED


def ask_refund(
    connection: Connection, order_id: UUID, amount: int | None, reason: str, by_id: UUID | None, now: datetime
) -> Refund | Order | PaymentRefusal:
    """Store a refund. A refund at the desk is booked at once, and the order is returned.

    Args:
        amount: minor units; None: all that is left.
    """
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_ORDER
    orders, order = OrderRepository(connection), booking.order
    waiting = sum(each.amount for each in orders.refunds_of(order_id) if each.booked_at is None and each.is_awaited)
    left = order.left.amount - waiting
    if refusal := _refuse(order, amount, left):
        return refusal
    refund = Refund(
        new_id(), order_id, None, left if amount is None else amount, RefundState.ASKED, 0, reason, by_id, now
    )
    if order.method is Method.STRIPE:
        orders.add_refund(refund)
        return refund
    refund = replace(refund, state=RefundState.SUCCEEDED)
    orders.add_refund(refund)
    booked = booking.give_back(refund, BookingOrigin(by_id, reason, order.method, f"refund:{refund.id}"))
    orders.change_refund(booked)
    booking.settle_state()
    return booking.order


def _refuse(order: Order, amount: int | None, left: int) -> PaymentRefusal | None:
    if order.state is OrderState.DISPUTED:
        return PaymentRefusal(
            PaymentProblem.DISPUTED,
            "The payment is disputed and its bank decides. Refund it after the dispute is closed.",
        )
    if not order.is_fulfilled or order.state in {OrderState.LOST, OrderState.REVERSED}:
        return PaymentRefusal(PaymentProblem.NOT_PAID, f"The order is {order.state}, so there is no money to refund.")
    step_refusal = currency_of(order.price.currency).refuse_step(amount) if amount is not None else None
    if step_refusal and amount != left:
        return PaymentRefusal(PaymentProblem.AMOUNT_NOT_PAYABLE, f"Refund of {step_refusal}")
    if left <= 0 or (amount is not None and amount > left):
        return PaymentRefusal(
            PaymentProblem.REFUND_TOO_LARGE,
            f"At most {max(0, left)} {order.price.currency} (minor units) can be refunded.",
        )
    return None


def _failed(connection: Connection, refund: Refund, now: datetime) -> bool:
    """Store that a refund was refused; False if another attempt was booked or has failed before."""
    booking = OrderBooking.locked(connection, refund.order_id, now)
    known = OrderRepository(connection).refund(refund.id)
    if booking is None or known is None or known.state is not RefundState.ASKED:
        return False
    OrderRepository(connection).change_refund(replace(known, state=RefundState.FAILED))
    return True
