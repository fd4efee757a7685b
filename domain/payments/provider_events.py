"""Events of the provider: stored once, answered at once, handed on, and handled later by asking anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from sqlalchemy import Connection, insert, select, update

from domain.outbox import store_events
from domain.payments.model import PaymentRefusal
from domain.payments.ports import Happened, PaymentProvider
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.payments.tables import stripe_events
from domain.unit_of_work import Store

TOPIC = "payment-events"
_NAMESPACE = UUID("8f1d6f0e-6f0b-5b51-9a53-6c1f6a3a9b57")  # of keys for events whose order is not known yet

HANDLED, IGNORED, RECEIVED, FAILED = "handled", "ignored", "received", "failed"

# Those that can change an order; others are stored and left alone.
_CONCERNS_ORDERS = ("checkout.session.", "charge.refund", "charge.dispute.", "refund.", "payment_intent.")


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """What travels on `payment-events`: that something has happened, and to what."""

    event_id: str
    kind: str
    order_id: UUID | None
    payment_intent_id: str | None
    session_id: str | None
    type: Literal["payment_happened"] = "payment_happened"
    version: Literal[1] = 1


def store_happened(connection: Connection, events: Sequence[Happened], now: datetime, topic: str | None = TOPIC) -> int:
    """Keep events, and hand on those that are new and concern an order.

    Args:
        topic: where they are handed on; None: nowhere, the caller handles them.

    Returns:
        How many were new.
    """
    if not events:
        return 0
    known = set(
        connection.execute(
            select(stripe_events.c.id).where(stripe_events.c.id.in_([event.id for event in events]))
        ).scalars()
    )
    new = {event.id: event for event in events if event.id not in known}
    rows = [
        {
            "id": event.id,
            "type": event.type[:64],
            "api_version": event.api_version and event.api_version[:64],
            "object_id": event.object_id,
            "order_id": event.order_id,
            "payment_intent_id": event.payment_intent_id,
            "created_at": event.created_at,
            "received_at": now,
            "state": RECEIVED if concerns_orders(event) else IGNORED,
            "detail": "" if concerns_orders(event) else "of a kind that changes no order",
        }
        for event in new.values()
    ]
    if rows:
        connection.execute(insert(stripe_events), rows)
    told = [(_key(event), told_of(event)) for event in new.values() if concerns_orders(event)]
    if topic is not None:
        store_events(connection, topic, told, now)
    return len(new)


def mark_handled(connection: Connection, event_id: str, state: str, detail: str, now: datetime | None) -> None:
    """Keep what became of an event. `now` is None of one that is to be tried again."""
    connection.execute(
        update(stripe_events)
        .where(stripe_events.c.id == event_id)
        .values(state=state, detail=detail[:200], handled_at=now)
    )


class EventHandling:
    """Brings the order that an event is about up to date.

    Args:
        store: the database.
        provider: of payments.
        settlement: does it.
    """

    def __init__(self, store: Store, provider: PaymentProvider, settlement: OrderSettlement) -> None:
        self._store = store
        self._provider = provider
        self._settlement = settlement

    def order_of(self, event: PaymentEvent) -> UUID | None:
        """The order that an event is about; None: none of ours.

        Raises:
            PaymentsAwayError: the provider has to be asked, and cannot be.
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
        # A refund or a dispute that is here before its payment was booked.
        return self._provider.order_of(event.payment_intent_id)

    def settle(self, order_id: UUID | None) -> tuple[str, str]:
        """Bring an order up to date; what to keep of the events that told of it.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        if order_id is None:
            return IGNORED, "of no order of ours"
        settled = self._settlement.settle(order_id)
        if isinstance(settled, PaymentRefusal):
            return IGNORED, settled.detail
        return HANDLED, f"the order is {settled.state}"


def concerns_orders(event: Happened) -> bool:
    """Whether an event can change an order."""
    return event.type.startswith(_CONCERNS_ORDERS)


def _key(event: Happened) -> UUID:
    return event.order_id or uuid5(_NAMESPACE, event.payment_intent_id or event.object_id or event.id)


def told_of(event: Happened) -> PaymentEvent:
    """An event as it is handed on."""
    return PaymentEvent(event.id, event.type, event.order_id, event.payment_intent_id, event.session_id)
