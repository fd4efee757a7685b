"""Events of the payment provider in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, func, insert, or_, select, update

from domain.payments.ports import ProviderEvent
from domain.payments.tables import stripe_events

_LONGEST_WORD = 64
_LONGEST_DETAIL = 200


class EventState(StrEnum):
    """What became of an event."""

    RECEIVED = "received"
    HANDLED = "handled"
    IGNORED = "ignored"
    FAILED = "failed"


class EventRepository:
    """Reads and writes events in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def known(self, event_ids: Collection[str]) -> set[str]:
        """Those of the events that are stored."""
        query = select(stripe_events.c.id).where(stripe_events.c.id.in_(event_ids))
        return set(self._connection.execute(query).scalars())

    def add(self, events: Sequence[tuple[ProviderEvent, EventState, str]], now: datetime) -> None:
        """Store new events, each with its state and a detail for operators."""
        rows = [
            {
                "id": event.id,
                "type": event.type[:_LONGEST_WORD],
                "api_version": event.api_version and event.api_version[:_LONGEST_WORD],
                "object_id": event.object_id,
                "order_id": event.order_id,
                "payment_intent_id": event.payment_intent_id,
                "created_at": event.created_at,
                "received_at": now,
                "state": state,
                "detail": detail,
            }
            for event, state, detail in events
        ]
        if rows:
            self._connection.execute(insert(stripe_events), rows)

    def mark(self, event_id: str, state: EventState, detail: str, handled_at: datetime | None) -> None:
        """Store what became of an event. `handled_at` is None for an event that is tried again."""
        self._connection.execute(
            update(stripe_events)
            .where(stripe_events.c.id == event_id)
            .values(state=state, detail=detail[:_LONGEST_DETAIL], handled_at=handled_at)
        )

    def handled_or_recent(self, event_ids: Collection[str], received_after: datetime) -> set[str]:
        """Those of the events that were handled, or received so lately that a consumer may still handle them."""
        query = select(stripe_events.c.id).where(
            stripe_events.c.id.in_(event_ids),
            or_(stripe_events.c.handled_at.is_not(None), stripe_events.c.received_at > received_after),
        )
        return set(self._connection.execute(query).scalars())

    def resume_from(self) -> datetime | None:
        """When the oldest unhandled event was created, else the latest of all; None: no event is stored."""
        open_states = [EventState.RECEIVED, EventState.FAILED]
        oldest = select(func.min(stripe_events.c.created_at)).where(stripe_events.c.state.in_(open_states))
        latest = select(func.max(stripe_events.c.created_at))
        unhandled: datetime | None = self._connection.execute(oldest).scalar_one_or_none()
        return unhandled or self._connection.execute(latest).scalar_one_or_none()
