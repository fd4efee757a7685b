"""Events of the payment provider: stored once, published, and handled later by reading the order from the provider."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from sqlalchemy import Connection

from domain.outbox import store_events
from domain.payments.event_repository import EventRepository, EventState
from domain.payments.model import PaymentRefusal
from domain.payments.ports import PaymentProvider, ProviderEvent
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store

TOPIC = "payment-events"
_NAMESPACE = UUID("8f1d6f0e-6f0b-5b51-9a53-6c1f6a3a9b57")  # for message keys of events whose order is not known yet

# Event types that can change an order. Others are only stored.
_CONCERNS_ORDERS = ("checkout.session.", "charge.refund", "charge.dispute.", "refund.", "payment_intent.")


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """A message on `payment-events`: which object has changed, not how."""

    event_id: str
    kind: str
    order_id: UUID | None
    payment_intent_id: str | None
    session_id: str | None
    type: Literal["payment_happened"] = "payment_happened"
    version: Literal[1] = 1


def store_provider_events(
    connection: Connection, events: Sequence[ProviderEvent], now: datetime, topic: str | None = TOPIC
) -> int:
    """Store events, and publish those that are new and concern an order.

    Args:
        topic: where they are published; None: nowhere, because the caller handles them.

    Returns:
        The number of new events.
    """
    repository = EventRepository(connection)
    known = repository.known([event.id for event in events]) if events else set()
    new = {event.id: event for event in events if event.id not in known}
    repository.add([(event, *_first_state(event)) for event in new.values()], now)
    if topic is not None:
        published = [(_key(event), published_event(event)) for event in new.values() if concerns_orders(event)]
        store_events(connection, topic, published, now)
    return len(new)


class EventHandling:
    """Updates the order that an event is about."""

    def __init__(self, store: Store, provider: PaymentProvider, settlement: OrderSettlement) -> None:
        self._store = store
        self._provider = provider
        self._settlement = settlement

    def order_of(self, event: PaymentEvent) -> UUID | None:
        """The order that an event is about; None: no order of this system.

        Raises:
            PaymentsUnavailableError: only the provider knows, and it does not answer.
        """
        with self._store.reading() as connection:
            orders = OrderRepository(connection)
            if event.order_id is not None and orders.order(event.order_id) is not None:
                return event.order_id
            known = orders.of_session(event.session_id) if event.session_id else None
            if known is None and event.payment_intent_id:
                known = orders.of_payment(event.payment_intent_id)
        if known is not None or event.payment_intent_id is None:
            return known.id if known else None
        # A refund or a dispute may arrive before its payment is booked.
        return self._provider.order_of(event.payment_intent_id)

    def settle(self, order_id: UUID | None) -> tuple[EventState, str]:
        """Update an order from the provider; returns the state and detail of its events.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        if order_id is None:
            return EventState.IGNORED, "not about an order of this system"
        settled = self._settlement.settle(order_id)
        if isinstance(settled, PaymentRefusal):
            return EventState.IGNORED, settled.detail
        return EventState.HANDLED, f"the order is {settled.state}"


def concerns_orders(event: ProviderEvent) -> bool:
    """Whether an event can change an order."""
    return event.type.startswith(_CONCERNS_ORDERS)


def _first_state(event: ProviderEvent) -> tuple[EventState, str]:
    if concerns_orders(event):
        return EventState.RECEIVED, ""
    return EventState.IGNORED, "of a type that changes no order"


def _key(event: ProviderEvent) -> UUID:
    return event.order_id or uuid5(_NAMESPACE, event.payment_intent_id or event.object_id or event.id)


def published_event(event: ProviderEvent) -> PaymentEvent:
    """An event as it is published."""
    return PaymentEvent(event.id, event.type, event.order_id, event.payment_intent_id, event.session_id)
