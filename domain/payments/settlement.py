"""Updates orders from the payment provider. Safe to call any number of times, also concurrently.

The consumer of webhooks, the success page, the door and the reconciliation call it
(docs.stripe.com/checkout/fulfillment). The content of events is not trusted: the order is read from the provider.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection

from domain.clock import Clock
from domain.memberships.ledger import Method
from domain.payments.model import MOST_AWAITED, UNKNOWN_ORDER, Order, OrderState, PaymentRefusal
from domain.payments.order_booking import OrderBooking
from domain.payments.ports import (
    Checkout,
    PaymentProvider,
    PaymentRefusedError,
    ProvidedDispute,
    ProvidedRefund,
)
from domain.payments.repository import OrderRepository
from domain.unit_of_work import Store

_log = structlog.get_logger(__name__)


class OrderSettlement:
    """Reads orders from the provider outside of a transaction, and books the result in one."""

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    def settle(self, order_id: UUID) -> Order | PaymentRefusal:
        """Update an order.

        Raises:
            PaymentsUnavailableError: the provider does not answer; nothing has changed.
        """
        with self._store.reading() as connection:
            order = OrderRepository(connection).order(order_id)
        if order is None:
            return UNKNOWN_ORDER
        if order.method is not Method.STRIPE:
            return order
        return self._settle(order, self._provider.checkout)

    def close(self, order: Order) -> Order | PaymentRefusal:
        """Expire the checkout page of an open order. If it was paid meanwhile, the payment is booked.

        Raises:
            PaymentsUnavailableError: the provider does not answer; nothing has changed.
        """
        return self._settle(order, self._provider.close_checkout)

    def _settle(self, order: Order, ask: Callable[[str], Checkout]) -> Order | PaymentRefusal:
        order_id = order.id
        try:
            checkout = ask(self._session_of(order))
        except PaymentRefusedError as refused:
            why = str(refused)
            return self._store.written(lambda connection: _ended(connection, order_id, why, self._clock()))
        with self._store.reading() as connection:
            refunds = OrderRepository(connection).refunds_of(order_id)
        # The provider does not list failed refunds; such a refund may be booked or awaited here.
        has_refunds = order.refunded > 0 or any(refund.is_awaited for refund in refunds)
        return self._apply(order_id, replace(checkout, was_refunded=checkout.was_refunded or has_refunds))

    def _apply(self, order_id: UUID, checkout: Checkout) -> Order | PaymentRefusal:
        refunds: list[ProvidedRefund] = []
        disputes: list[ProvidedDispute] = []
        if checkout.payment_intent_id:
            if checkout.was_refunded:
                refunds = self._provider.refunds_of(checkout.payment_intent_id)
            if checkout.was_disputed:
                disputes = self._provider.disputes_of(checkout.payment_intent_id)

        def book(connection: Connection) -> Order | PaymentRefusal:
            booking = OrderBooking.locked(connection, order_id, self._clock())
            if booking is None:
                return UNKNOWN_ORDER
            booking.see(checkout)
            if booking.order.is_fulfilled:
                for refund in refunds:
                    booking.refund(refund)
                for dispute in disputes:
                    booking.dispute(dispute)
            OrderRepository(connection).checked([order_id], self._clock())
            return booking.order

        settled = self._store.written(book)
        if isinstance(settled, Order) and settled.problem:
            _log.error("order_needs_a_look", order_id=str(order_id), problem=settled.problem)
        return settled

    def settle_member(self, member_id: UUID) -> None:
        """Update the open orders of a member, who may have paid a second ago.

        Calls the provider for all orders at once, because the member waits at a door.

        Raises:
            PaymentsUnavailableError: the provider does not answer for one order; the others are updated.
        """
        with self._store.reading() as connection:
            waiting = OrderRepository(connection).open_of(member_id)
        with ThreadPoolExecutor(MOST_AWAITED, "settle-member") as threads:
            settled = [threads.submit(self.settle, order_id) for order_id in waiting]
        for each in settled:
            each.result()

    def _session_of(self, order: Order) -> str:
        if order.session_id is not None:
            return order.session_id
        # An earlier attempt stopped between the provider's answer and the commit. The same key gets the same page.
        with self._store.reading() as connection:
            email = OrderRepository(connection).email_of(order.member_id)
        return self._provider.open_checkout(order, email).session_id


def _ended(connection: Connection, order_id: UUID, why: str, now: datetime) -> Order | PaymentRefusal:
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_ORDER
    booking.end(OrderState.FAILED, why)
    return booking.order
