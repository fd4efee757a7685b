"""The one function that brings an order up to date with the provider. Safe to call any number of times, and at once.

Called by the webhook's consumer, by the success page, by the door, and by the reconciliation
(docs.stripe.com/checkout/fulfillment). What an event said is never believed: the provider is asked anew.
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
    """Asks the provider outside of any unit of work, and books what it says in one.

    Args:
        store: the database.
        provider: of payments.
        clock: the present.
    """

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    def settle(self, order_id: UUID) -> Order | PaymentRefusal:
        """An order, up to date.

        Raises:
            PaymentsAwayError: the provider cannot be asked; nothing has changed.
        """
        with self._store.reading() as connection:
            order = OrderRepository(connection).order(order_id)
        if order is None:
            return UNKNOWN_ORDER
        if order.method is not Method.STRIPE:
            return order
        return self._settle(order, self._provider.checkout)

    def close(self, order: Order) -> Order | PaymentRefusal:
        """Have nobody pay an open order any more. One that was paid meanwhile is booked.

        Raises:
            PaymentsAwayError: the provider cannot be asked; nothing has changed.
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
        # A refund that failed is one no more at the provider; here it may have been booked, or be awaited.
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
        """Bring a member's open orders up to date: they may have paid a second ago.

        The provider is asked about all of them at once, for somebody waits at a door.

        Raises:
            PaymentsAwayError: the provider cannot be asked about one of them; the others are up to date.
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
        # We were stopped between the provider's answer and our commit: the same key gets the same page.
        with self._store.reading() as connection:
            email = OrderRepository(connection).email_of(order.member_id)
        return self._provider.open_checkout(order, email).session_id


def _ended(connection: Connection, order_id: UUID, why: str, now: datetime) -> Order | PaymentRefusal:
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_ORDER
    booking.end(OrderState.FAILED, why)
    return booking.order
