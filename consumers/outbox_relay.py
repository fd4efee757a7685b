"""The outbox relay: one thread of all takes committed events to Kafka, at least once and in order within a gym."""

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

from consumers.background_thread import LivingThread
from consumers.database import give_up_locks_when_frozen
from consumers.failure_policy import reason
from consumers.handler import LeaderLease
from consumers.outbox_publisher import Publisher, Publishing
from domain.clock import Clock, system_clock
from domain.leases import LeaseLostError
from domain.unit_of_work import Store
from integrations.kafka.dead_letters import DeadLettersAwayError
from integrations.kafka.event_publisher import EventPublisher
from integrations.lease import Lease
from integrations.settings import Settings

_log = structlog.get_logger(__name__)

LEASE = "outbox-relay"
# A relay that is killed, suspended or cut off is replaced after so long, and a second in which the next one asks. No
# shorter than Kafka's session: the gyms of a killed consumer are silent for as long.
LEASE_LASTS = timedelta(seconds=6)
_STALE_AFTER_S = 30.0


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """How much the relay takes, and how often it looks.

    Args:
        batch_max: events published together.
        pace_s: from one look at an outbox that holds less than a batch to the next.
        share: of its time that a relay with nothing to do may spend on looking. A look costs more than usual while
            some other transaction keeps the server from clearing away what was removed.
        ask_again_s: from one question for the lease to the next, while another relay has it.
        first_delay_s, longest_delay_s: how long it waits for a part that is away; doubled each time.
        stop_within_s: how long a relay that is to stop waits for Kafka's answer.
    """

    batch_max: int = 500
    pace_s: float = 0.2
    share: float = 0.05
    ask_again_s: float = 1.0
    first_delay_s: float = 0.05
    longest_delay_s: float = 1.0
    stop_within_s: float = 2.0


class _StoppedError(Exception):
    """The relay is to stop, and Kafka does not answer."""


class OutboxRelay(LivingThread):
    """Publishes the outbox while it holds the lease, and asks for the lease while it does not.

    Args:
        lease: of the store whose outbox it is.
        publisher: takes the events to Kafka.
        clock: tells how old events are.
        limits: how much, how often.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; the relay rests by waiting for that.
        news: set by whoever has written events; ends the rest of a relay that had found none. Under load it is not
            heeded: events that are published together cost less.
    """

    def __init__(
        self,
        lease: LeaderLease,
        publisher: Publisher,
        clock: Clock = system_clock,
        limits: RelayLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
        news: Event | None = None,
    ) -> None:
        super().__init__("outbox-relay", monotonic, stopping)
        self._news = news
        self._found_none = False
        self._lease = lease
        self._publisher = publisher
        self._clock = clock
        self._limits = limits or RelayLimits()
        self._publishing = Publishing(lease.store, lambda: lease.is_held, publisher, self._limits.batch_max, monotonic)
        self._has_begun = False  # under the lease that it holds, or held
        self._delay_s = self._limits.first_delay_s

    @property
    def healthy(self) -> bool:
        """Whether it is at work or waits its turn. A relay that hangs with the lease holds up everybody's events."""
        return self.alive and self.heartbeat_age_s < _STALE_AFTER_S

    @property
    def is_active(self) -> bool:
        """Whether this is the relay that holds the lease."""
        return self._lease.is_held

    @property
    def lag(self) -> int:
        """Events that wait, counted to 10,000 and no further; 0 where another relay is the active one."""
        return self._publishing.backlog.events

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest of them waits, in seconds."""
        return self._publishing.backlog.age_s(self._clock())

    @property
    def published(self) -> int:
        """Events that this relay has published; one that is published again counts again."""
        return self._publishing.published

    @property
    def dead_letters(self) -> int:
        """Events that Kafka would not have and that were set aside."""
        return self._publishing.buried

    def run(self) -> None:
        """Relay until stopped. No failure ends it: events can wait, and the doors of this replica cannot."""
        while not self._stopping.is_set():
            self._beat()
            self._found_none = False
            try:
                rest_s = self._step()
            except _StoppedError:
                break
            except Exception as error:  # noqa: BLE001 - whatever it was, to try again is the answer
                rest_s = self._failed(error)
            self._rest(rest_s)
        self._let_go()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Let it finish what it has in hand, and end; see `LivingThread`."""
        self._stopping.set()
        if self._news is not None:
            self._news.set()
        return super().stop(timeout_s)

    def _rest(self, rest_s: float) -> None:
        if self._news is None or not self._found_none:
            self._stopping.wait(rest_s)
        elif not self._stopping.is_set():  # which is set before the news are, and the round may have cleared those
            self._news.wait(rest_s)

    def _step(self) -> float:
        """Ask for the lease, or work a round; how long to rest after it."""
        if not self._lease.is_held:
            if self._has_begun:
                self._let_go()
            if not self._lease.ask():
                self._delay_s = self._limits.first_delay_s
                return self._limits.ask_again_s
            self._has_begun = True
            _log.info("outbox_relay_active")
        began = self._monotonic()
        if self._news is not None:
            self._news.clear()  # before the look, which finds what was written until now
        outcome = self._publishing.round(self._still_wanted)
        if outcome.failure is not None:
            return self._longer(outcome.failure)
        self._delay_s = self._limits.first_delay_s
        if outcome.more:
            return 0.0
        self._found_none = not outcome.events
        took_s = self._monotonic() - began
        bounded_s = 0.0 if outcome.events else min(took_s / self._limits.share, self._limits.longest_delay_s)
        return max(self._limits.pace_s - took_s, bounded_s)

    def _still_wanted(self) -> None:
        if self._stopping.is_set() and self.heartbeat_age_s > self._limits.stop_within_s:
            raise _StoppedError
        if not self._stopping.is_set():
            self._beat()

    def _failed(self, error: Exception) -> float:
        if isinstance(error, DeadLettersAwayError | SQLAlchemyError):
            return self._longer(reason(error))  # the lease is still ours, for as long as it lasts
        if not isinstance(error, LeaseLostError | OSError):
            _log.exception("outbox_relay_failed")
        self._let_go()
        return self._longer(reason(error))

    def _let_go(self) -> None:
        # Nothing may be sent once somebody else can have the lease.
        self._publisher.drop()
        self._publishing.forget()
        self._has_begun = False
        self._lease.release()

    def _longer(self, why: str) -> float:
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, self._limits.longest_delay_s)
        _log.warning("outbox_waits", reason=why)
        return delay_s


def outbox_relay(settings: Settings, news: Event | None = None) -> OutboxRelay:
    """The relay of one replica, with a connection and, once it is the active one, a producer of its own."""
    database = settings.database
    store = Store(database.url.get_secret_value(), pool_size=1, statement_timeout_s=database.statement_timeout_s)
    give_up_locks_when_frozen(store.engine, round(LEASE_LASTS.total_seconds()))
    if store.engine.dialect.name == "sqlite":
        listen(store.engine, "connect", _remove_without_syncing)
    return OutboxRelay(Lease(store, LEASE, LEASE_LASTS), EventPublisher(settings.kafka), news=news)


def _remove_without_syncing(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Removals go to the disk with the door's next commit; those that a power cut undoes are told again."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=NORMAL")  # https://www.sqlite.org/pragma.html#pragma_synchronous
    cursor.close()
