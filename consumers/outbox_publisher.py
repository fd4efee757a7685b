"""One round of the outbox relay: the oldest events are read, published, and removed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from domain.leases import LeaseLostError
from domain.outbox import Order, WaitingEvent, count_waiting, oldest_events, remove_events
from domain.unit_of_work import Store
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

    store: Store
    monotonic: Callable[[], float] = time.monotonic
    events: int = 0
    oldest: datetime | None = None
    looked_at: float = float("-inf")

    def look(self) -> None:
        """Count, if it was not done within the last second."""
        if self.monotonic() - self.looked_at >= _LOOK_EVERY_S:
            with self.store.reading() as connection:
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
    """The rounds of a relay that holds the lease.

    An event is removed only after Kafka has acknowledged it, in a transaction that checks the lease. Nothing of
    an order is removed in a round in which any of it failed, so what is published again comes in order again.

    Args:
        store: whose units of work check the lease.
        is_held: whether the lease is held; what was read is not published once it is not.
        publisher: takes the events.
        batch_max: events of one round.
        monotonic: seconds of a clock that only rises.
    """

    def __init__(
        self,
        store: Store,
        is_held: Callable[[], bool],
        publisher: Publisher,
        batch_max: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._is_held = is_held
        self._publisher = publisher
        self._batch_max = batch_max
        self._monotonic = monotonic
        self._one_by_one = 0  # events to go singly, after a batch in which one seems to be at fault
        self._unremoved: list[WaitingEvent] = []  # done with, and perhaps still there
        self.backlog = Backlog(store, monotonic)
        self.published = 0
        self.buried = 0

    def round(self, still_wanted: Callable[[], None]) -> Outcome:
        """Publish the oldest events.

        Args:
            still_wanted: called while Kafka does not answer; raises when the wait is to end.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be had.
            LeaseLostError: the lease is lost; what was published is not removed.
            DeadLettersAwayError: an event that is to be set aside could not be.
        """
        if self._unremoved:
            # Only what is still the same event: SQLite gives the numbers of removed rows to others.
            there = set(self._oldest(self._batch_max))
            self._remove([event for event in self._unremoved if event in there])
        began = self._monotonic()
        limit = 1 if self._one_by_one else self._batch_max
        events = self._oldest(limit)
        if not events:
            self._one_by_one = 0
            self.backlog.clear()
            return Outcome(0, more=False)

        def waiting() -> None:
            still_wanted()
            self._see_that_it_is_held()
            if self._monotonic() - began >= _LOOK_EVERY_S:
                self.backlog.look()

        self._see_that_it_is_held()  # it may have been frozen since it read
        failures = self._publisher.publish(events, waiting)
        delivered = [event for event in events if event.order not in failures]
        self.published += len(delivered)
        self._remove(delivered)
        self._one_by_one = max(0, self._one_by_one - len(delivered))
        failure = self._take_up([e for e in events if e.order in failures], failures) if failures else None
        if not failures and len(events) < limit:
            self.backlog.clear()
            return Outcome(len(events), more=False)
        self.backlog.look()
        return Outcome(len(events), more=True, failure=failure)

    def forget(self) -> None:
        """The lease is lost: what waits, and what is still to be removed, is for its next holder to see."""
        self._unremoved = []
        self.backlog.clear()

    def _see_that_it_is_held(self) -> None:
        if not self._is_held():
            raise LeaseLostError("the outbox relay's lease has expired")

    def _oldest(self, at_most: int) -> list[WaitingEvent]:
        with self._store.reading() as connection:
            return oldest_events(connection, at_most)

    def _remove(self, events: list[WaitingEvent]) -> None:
        if not events:
            return
        # A database that cannot write for now, its disk full, must not have the same events told again and again.
        self._unremoved = events
        with self._store.writing() as connection:
            remove_events(connection, [event.id for event in events])
        self._unremoved = []

    def _take_up(self, left: Sequence[WaitingEvent], failures: Mapping[Order, Failure]) -> str | None:
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
        self._remove([event])
        self._one_by_one -= 1
        _log.error("event_buried", outbox_id=event.id, topic=event.topic, key=event.key, reason=reason)
        return None
