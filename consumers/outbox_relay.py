"""The outbox relay: publishes committed events to Kafka, at least once, and in order per gym."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

import structlog
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.event import listen
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from consumers.background_thread import BackgroundThread
from consumers.database import open_store
from consumers.failure_policy import Backoff, describe_error
from consumers.outbox_publisher import OutboxPublisher
from domain.clock import Clock, system_clock
from domain.errors import UnavailableError
from domain.leases import LeaseLostError
from integrations.kafka.event_publisher import EventPublisher
from integrations.lease import Lease
from integrations.settings import Settings

_log = structlog.get_logger(__name__)

LEASE_NAME = "outbox-relay"
# When a relay is killed, suspended or cut off, another replica takes over after this time and one retry interval. Not
# shorter than Kafka's session timeout: the gyms of a killed consumer get no decisions for as long.
LEASE_DURATION = timedelta(seconds=6)
_STALE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How much the relay publishes at once, and how often it polls.

    Args:
        batch_max: maximum number of events per batch.
        poll_interval_s: from one query of the outbox to the next, while it holds less than a batch.
        poll_share: maximum share of time that an idle relay spends on queries. A query is slow while another
            transaction keeps the server from purging removed rows.
        lease_retry_s: from one attempt to take the lease to the next, while another relay holds it.
        first_delay_s, longest_delay_s: bounds of the exponential backoff while a system is unavailable, in seconds.
        stop_timeout_s: how long a relay that stops waits for Kafka to answer.
    """

    batch_max: int = 500
    poll_interval_s: float = 0.2
    poll_share: float = 0.05
    lease_retry_s: float = 1.0
    first_delay_s: float = 0.05
    longest_delay_s: float = 1.0
    stop_timeout_s: float = 2.0


class _StoppedError(Exception):
    """The relay stops and Kafka does not answer."""


class OutboxRelay(BackgroundThread):
    """Publishes the outbox while it holds the lease, and tries to take the lease while it does not.

    Args:
        lease: of the relay; its store holds the outbox.
        publisher: publishes to Kafka.
        clock: the current time, for the age of events.
        limits: how much, how often.
        monotonic: a monotonic clock, in seconds.
        stopping: ends the relay once set; the relay pauses by waiting for it.
        woken: set by `wake`; an idle relay pauses by waiting for it.
    """

    def __init__(
        self,
        lease: Lease,
        publisher: EventPublisher,
        clock: Clock = system_clock,
        limits: RelayLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
        woken: Event | None = None,
    ) -> None:
        super().__init__("outbox-relay", monotonic, stopping)
        self._lease = lease
        self._event_publisher = publisher
        self._clock = clock
        self._limits = limits or RelayLimits()
        self._publisher = OutboxPublisher(lease, publisher, self._limits.batch_max, monotonic)
        self._backoff = Backoff(self._limits.first_delay_s, self._limits.longest_delay_s)
        self._woken = woken or Event()
        self._is_idle = False
        self._has_started = False  # under the present lease, or under one that is lost by now

    @property
    def healthy(self) -> bool:
        """Whether it works or waits for its lease. A relay that hangs with the lease blocks the events of all gyms."""
        return self.alive and self.heartbeat_age_s < _STALE_AFTER_S

    @property
    def is_active(self) -> bool:
        """Whether this relay holds the lease."""
        return self._lease.is_held

    @property
    def lag(self) -> int:
        """Events that wait, counted up to 10,000; 0 where another relay is active."""
        return self._publisher.backlog.events

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest of them has waited, in seconds."""
        return self._publisher.backlog.age_s(self._clock())

    @property
    def published(self) -> int:
        """Events that this relay has published. An event that is published again counts again."""
        return self._publisher.published

    @property
    def dead_letters(self) -> int:
        """Events that Kafka rejected and that were written to the dead-letter topic."""
        return self._publisher.dead_letters

    def wake(self) -> None:
        """End the pause of an idle relay, because new events were committed.

        A busy relay keeps its pace: events that are published together cost less.
        """
        self._woken.set()

    def run(self) -> None:
        """Publish until stopped. No failure ends it: the replica's door must go on, and events can wait."""
        while not self._stopping.is_set():
            self._beat()
            self._is_idle = False
            try:
                pause_s = self._step()
            except _StoppedError:
                break
            except Exception as error:  # noqa: BLE001 - every failure is retried
                pause_s = self._handle_failure(error)
            self._pause(pause_s)
        self._release_lease()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Stop after the present batch, see `BackgroundThread.stop`."""
        self._stopping.set()
        self.wake()
        return super().stop(timeout_s)

    def _pause(self, pause_s: float) -> None:
        if not self._is_idle:
            self._stopping.wait(pause_s)
        elif not self._stopping.is_set():  # `stop` sets it before it wakes, and the last step may have cleared that
            self._woken.wait(pause_s)

    def _step(self) -> float:
        """Take the lease or publish a batch.

        Returns:
            How long to pause afterwards, in seconds.
        """
        if not self._lease.is_held:
            if self._has_started:
                self._release_lease()
            if not self._lease.try_acquire():
                self._backoff.reset()
                return self._limits.lease_retry_s
            self._has_started = True
            _log.info("outbox_relay_active")
        began_at = self._monotonic()
        self._woken.clear()  # before the query, which finds all events committed until now
        batch = self._publisher.publish_batch(self._check_stop)
        if batch.failure is not None:
            return self._back_off(batch.failure)
        self._backoff.reset()
        if batch.more:
            return 0.0
        self._is_idle = not batch.events
        took_s = self._monotonic() - began_at
        idle_pause_s = min(took_s / self._limits.poll_share, self._limits.longest_delay_s) if self._is_idle else 0.0
        return max(self._limits.poll_interval_s - took_s, idle_pause_s)

    def _check_stop(self) -> None:
        if self._stopping.is_set() and self.heartbeat_age_s > self._limits.stop_timeout_s:
            raise _StoppedError
        if not self._stopping.is_set():
            self._beat()

    def _handle_failure(self, error: Exception) -> float:
        if isinstance(error, UnavailableError | SQLAlchemyError):
            return self._back_off(describe_error(error))  # the lease is kept while it lasts
        if not isinstance(error, LeaseLostError | OSError):
            _log.exception("outbox_relay_failed")
        self._release_lease()
        return self._back_off(describe_error(error))

    def _release_lease(self) -> None:
        # Unsent messages are dropped first: another relay may take the lease at once.
        self._event_publisher.drop()
        self._publisher.reset()
        self._has_started = False
        self._lease.release()

    def _back_off(self, reason: str) -> float:
        _log.warning("outbox_postponed", reason=reason)
        return self._backoff.next_delay_s()


def open_outbox_relay(settings: Settings) -> OutboxRelay:
    """The relay of a replica, with a database connection of its own. It opens a producer once it is active."""
    store = open_store(settings.database, round(LEASE_DURATION.total_seconds()))
    if store.engine.dialect.name == "sqlite":
        listen(store.engine, "connect", _set_synchronous_normal)
    return OutboxRelay(Lease(store, LEASE_NAME, LEASE_DURATION), EventPublisher(settings.kafka))


def _set_synchronous_normal(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Removals reach the disk with the next commit of the door. After a power cut, events may be published again."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=NORMAL")  # https://www.sqlite.org/pragma.html#pragma_synchronous
    cursor.close()
