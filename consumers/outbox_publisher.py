"""Publishes the oldest events of the outbox and removes them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from domain.leases import LeaseLostError
from domain.outbox import Order, WaitingEvent, count_waiting, oldest_events, remove_events
from domain.unit_of_work import Store
from integrations.kafka.event_publisher import DeliveryFailure, EventPublisher
from integrations.lease import Lease

_log = structlog.get_logger(__name__)

_COUNT_INTERVAL_S = 1.0
_COUNT_MAX = 10_000


@dataclass(slots=True)
class OutboxBacklog:
    """How many events wait, counted up to 10,000, at most once a second, and only while some do.

    Args:
        store: the database.
        monotonic: a monotonic clock, in seconds.
    """

    store: Store
    monotonic: Callable[[], float] = time.monotonic
    events: int = 0
    oldest: datetime | None = None
    counted_at: float = float("-inf")

    def count(self) -> None:
        """Count, unless the last count is less than a second old."""
        if self.monotonic() - self.counted_at >= _COUNT_INTERVAL_S:
            with self.store.reading() as connection:
                self.events, self.oldest = count_waiting(connection, _COUNT_MAX)
            self.counted_at = self.monotonic()

    def clear(self) -> None:
        """No event waits, or another process reports them."""
        self.events, self.oldest, self.counted_at = 0, None, float("-inf")

    def age_s(self, now: datetime) -> float:
        """How long the oldest event has waited, in seconds."""
        oldest = self.oldest  # the metrics thread reads it while the relay's thread changes it
        return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


@dataclass(frozen=True, slots=True)
class PublishedBatch:
    """The result of publishing one batch.

    Args:
        events: how many events the batch had.
        more: whether more events wait, or some of these still do.
        failure: why some events were not published, when only a later retry can help.
    """

    events: int
    more: bool
    failure: str | None = None


class OutboxPublisher:
    """Publishes the outbox in batches, for a relay that holds the lease.

    An event is removed after Kafka has acknowledged it, in a transaction that checks the lease. When one event of an
    order fails, no event of that order is removed in the same batch, so repeated events arrive in order again.

    Args:
        lease: of the relay; nothing is published after it is lost.
        publisher: publishes to Kafka.
        batch_max: maximum number of events per batch.
        monotonic: a monotonic clock, in seconds.

    Attributes:
        backlog: how many events wait.
        published: events published. An event that is published again counts again.
        dead_letters: events written to the dead-letter topic.
    """

    def __init__(
        self,
        lease: Lease,
        publisher: EventPublisher,
        batch_max: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._publisher = publisher
        self._batch_max = batch_max
        self._monotonic = monotonic
        self._one_by_one = 0  # how many events to publish singly, to find the one that Kafka rejects
        self._unremoved: list[WaitingEvent] = []  # published, but perhaps not removed
        self.backlog = OutboxBacklog(lease.store, monotonic)
        self.published = 0
        self.dead_letters = 0

    def publish_batch(self, check_stop: Callable[[], None]) -> PublishedBatch:
        """Publish the oldest events.

        Args:
            check_stop: called while Kafka does not answer; raises to end the wait.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
            LeaseLostError: the lease is lost. What was published is not removed.
            DeadLettersUnavailableError: an event could not be written to the dead-letter topic.
        """
        if self._unremoved:
            # Compare whole events: SQLite gives the ids of removed rows to new ones.
            present = set(self._oldest(self._batch_max))
            self._remove([event for event in self._unremoved if event in present])
        began_at = self._monotonic()
        limit = 1 if self._one_by_one else self._batch_max
        events = self._oldest(limit)
        if not events:
            self._one_by_one = 0
            self.backlog.clear()
            return PublishedBatch(0, more=False)

        def while_waiting() -> None:
            check_stop()
            self._check_lease_time()
            if self._monotonic() - began_at >= _COUNT_INTERVAL_S:
                self.backlog.count()

        self._check_lease_time()  # the process may have been suspended since it read the events
        failures = self._publisher.publish(events, while_waiting)
        delivered = [event for event in events if event.order not in failures]
        self.published += len(delivered)
        self._remove(delivered)
        self._one_by_one = max(0, self._one_by_one - len(delivered))
        undelivered = [event for event in events if event.order in failures]
        failure = self._handle_failures(undelivered, failures) if failures else None
        if not failures and len(events) < limit:
            self.backlog.clear()
            return PublishedBatch(len(events), more=False)
        self.backlog.count()
        return PublishedBatch(len(events), more=True, failure=failure)

    def reset(self) -> None:
        """Forget what waits and what is not removed yet. The next holder of the lease finds both in the outbox."""
        self._unremoved = []
        self.backlog.clear()

    def _check_lease_time(self) -> None:
        if not self._lease.is_held:
            raise LeaseLostError("The lease of the outbox relay has expired")

    def _oldest(self, limit: int) -> list[WaitingEvent]:
        with self._lease.store.reading() as connection:
            return oldest_events(connection, limit)

    def _remove(self, events: list[WaitingEvent]) -> None:
        if not events:
            return
        # Remembered, so that a database that cannot write, for example on a full disk, causes no repeated publishing.
        self._unremoved = events
        with self._lease.store.writing() as connection:
            remove_events(connection, [event.id for event in events])
        self._unremoved = []

    def _handle_failures(
        self, undelivered: Sequence[WaitingEvent], failures: Mapping[Order, DeliveryFailure]
    ) -> str | None:
        """Isolate an event that Kafka rejects, then dead-letter it.

        Returns:
            Why events were not delivered, when only a later retry can help.
        """
        for failure in failures.values():
            if not failure.rejected:
                return failure.reason
        if not self._one_by_one:
            # Kafka rejects a whole batch because of one event. Publishing singly shows which one.
            self._one_by_one = len(undelivered)
            return None
        event = undelivered[0]
        reason = failures[event.order].reason
        self._publisher.write_dead_letter(event, reason)
        self.dead_letters += 1
        self._remove([event])
        self._one_by_one -= 1
        _log.error("event_dead_lettered", outbox_id=event.id, topic=event.topic, key=event.key, reason=reason)
        return None
