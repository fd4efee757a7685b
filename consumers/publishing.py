"""One round of the outbox relay: the oldest events are read, published, and removed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy import Connection

from domain.outbox import Order, WaitingEvent, count_waiting, oldest_events, remove_events
from integrations.kafka.event_publisher import Failure

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 1.0
_COUNT_TO = 10_000


class Publisher(Protocol):
    """What a round needs of `EventPublisher`."""

    def publish(self, events: Sequence[WaitingEvent], waiting: Callable[[], None]) -> Mapping[Order, Failure]:
        """Publish events in their order and wait for Kafka; the orders that failed."""

    def bury(self, event: WaitingEvent, reason: str) -> None:
        """Write an event to the dead letters."""

    def drop(self) -> None:
        """Forget what is not sent."""


@dataclass(slots=True)
class Backlog:
    """What waits, counted to 10,000 and no further; looked at once a second, and only while something does."""

    monotonic: Callable[[], float] = time.monotonic
    events: int = 0
    oldest: datetime | None = None
    looked_at: float = float("-inf")

    def look(self, connection: Connection) -> None:
        """Count, if it was not done within the last second."""
        if self.monotonic() - self.looked_at >= _LOOK_EVERY_S:
            self.events, self.oldest = count_waiting(connection, _COUNT_TO)
            self.looked_at = self.monotonic()

    def clear(self) -> None:
        """Nothing waits, or it is not ours to tell."""
        self.events, self.oldest, self.looked_at = 0, None, float("-inf")

    def age_s(self, now: datetime) -> float:
        """How long the oldest event waits, in seconds."""
        oldest = self.oldest  # another thread's
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a round ended.

    Args:
        events: how many it found.
        more: others wait, or some of these still do.
        failure: why some could not be published, where only time can help.
    """

    events: int
    more: bool
    failure: str | None = None


class Publishing:
    """The rounds of a relay that holds the lock.

    An event is removed only after Kafka has acknowledged it, over the connection that ends with the lock. Nothing of
    an order is removed in a round in which any of it failed, so what is published again comes in order again.

    Args:
        publisher: takes the events.
        batch_max: events of one round.
        fresh_s: what was read longer ago than this is not published: the lock may have been lost meanwhile.
        monotonic: seconds of a clock that only rises.
    """

    def __init__(
        self, publisher: Publisher, batch_max: int, fresh_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._publisher = publisher
        self._batch_max = batch_max
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._one_by_one = 0  # events to go singly, after a batch in which one seems to be at fault
        self._unremoved: list[WaitingEvent] = []  # done with, and perhaps still there
        self.backlog = Backlog(monotonic)
        self.published = 0
        self.buried = 0

    def round(self, connection: Connection, still_wanted: Callable[[], None]) -> Outcome:
        """Publish the oldest events.

        Args:
            connection: the lock's own.
            still_wanted: called while Kafka does not answer; raises when the wait is to end.

        Raises:
            sqlalchemy.exc.DBAPIError: the database is away, or the lock lost.
            DeadLettersAwayError: an event that is to be set aside could not be.
        """
        if self._unremoved:
            # Only what is still the same event: SQLite gives the numbers of removed rows to others.
            there = set(oldest_events(connection, self._batch_max))
            self._remove(connection, [event for event in self._unremoved if event in there])
        began = self._monotonic()
        limit = 1 if self._one_by_one else self._batch_max
        events = oldest_events(connection, limit)
        if self._monotonic() - began > self._fresh_s:
            return Outcome(len(events), more=True)
        if not events:
            self._one_by_one = 0
            self.backlog.clear()
            return Outcome(0, more=False)

        def waiting() -> None:
            still_wanted()
            if self._monotonic() - began >= _LOOK_EVERY_S:
                self.backlog.look(connection)  # which also keeps the lock's connection from resting too long

        failures = self._publisher.publish(events, waiting)
        delivered = [event for event in events if event.order not in failures]
        self.published += len(delivered)
        self._remove(connection, delivered)
        self._one_by_one = max(0, self._one_by_one - len(delivered))
        failure = self._take_up(connection, [e for e in events if e.order in failures], failures) if failures else None
        if not failures and len(events) < limit:
            self.backlog.clear()
            return Outcome(len(events), more=False)
        self.backlog.look(connection)
        return Outcome(len(events), more=True, failure=failure)

    def forget(self) -> None:
        """The lock is lost: what waits, and what is still to be removed, is for its next holder to see."""
        self._unremoved = []
        self.backlog.clear()

    def _remove(self, connection: Connection, events: list[WaitingEvent]) -> None:
        # A database that cannot write for now, its disk full, must not have the same events told again and again.
        self._unremoved = events
        remove_events(connection, [event.id for event in events])
        self._unremoved = []

    def _take_up(
        self, connection: Connection, left: Sequence[WaitingEvent], failures: Mapping[Order, Failure]
    ) -> str | None:
        """See to the events that were not delivered; the reason, where only time can help."""
        for failure in failures.values():
            if not failure.own_fault:
                return failure.reason
        if not self._one_by_one:
            # Kafka refuses a batch for one message in it: which one is seen when each goes alone.
            self._one_by_one = len(left)
            return None
        event = left[0]
        reason = failures[event.order].reason
        self._publisher.bury(event, reason)
        self.buried += 1
        self._remove(connection, [event])
        self._one_by_one -= 1
        _log.error("event_buried", outbox_id=event.id, topic=event.topic, key=event.key, reason=reason)
        return None
