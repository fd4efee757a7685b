"""Work that one thread of all does again and again: whoever holds its lease does it, the others wait their turn."""

import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consumers.background_thread import LivingThread
from consumers.database import give_up_locks_when_frozen
from consumers.failure_policy import reason
from consumers.handler import LeaderLease
from domain.leases import LeaseLostError
from domain.unit_of_work import Store
from integrations.lease import Lease
from integrations.settings import Settings

_log = structlog.get_logger(__name__)

# A holder that is killed, suspended or cut off is replaced after so long, and the time in which others ask.
LEASE_LASTS = timedelta(seconds=30)
ASK_EVERY_S = 10.0
# Longer than any work that makes no effect meanwhile: a provider is asked for all of its pages.
_HANGS_AFTER_S = 900.0


class Duty(LivingThread):
    """Does its work at a pace while it holds the lease, and asks for the lease while it does not.

    Args:
        name: of the thread, and of its lines in the log.
        lease: of the store that it is about.
        pace_s: from one round to the next.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; it rests by waiting for that.
    """

    def __init__(
        self,
        name: str,
        lease: LeaderLease,
        pace_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__(name, monotonic, stopping)
        self._lease = lease
        self._pace_s = pace_s

    @property
    def healthy(self) -> bool:
        """Whether it is at work or waits its turn. One that hangs keeps its lease, and nobody does its work."""
        silent_for_s = min(self.heartbeat_age_s, self._lease.unchecked_for_s)
        return self.alive and silent_for_s < self._pace_s + _HANGS_AFTER_S

    @abstractmethod
    def work(self) -> None:
        """One round. Its effects are made in units of work of the lease's store, which check the lease.

        Raises:
            LeaseLostError: the lease is lost; the effect was not made.
        """

    def close(self) -> None:
        """Give back what it has opened, once it has ended."""
        self._lease.store.close()

    def run(self) -> None:
        """Work until stopped. No failure ends it: what is due stays so."""
        while not self._stopping.is_set():
            self._beat()
            try:
                if self._lease.is_held or self._lease.ask():
                    self.work()
            except (SQLAlchemyError, OSError, LeaseLostError) as error:
                _log.warning("duty_waits", duty=self._name, reason=reason(error))
            except Exception:  # noqa: BLE001 - whatever it was, to try again is the answer
                _log.exception("duty_failed", duty=self._name)
                self._lease.release()  # another one may succeed
            self._stopping.wait(self._pace_s if self._lease.is_held else min(self._pace_s, ASK_EVERY_S))
        self._lease.release()
        self.close()


def duty_lease(settings: Settings, name: str) -> Lease:
    """The lease of a duty, with a connection of its own for it and its work."""
    database = settings.database
    store = Store(database.url.get_secret_value(), pool_size=1, statement_timeout_s=database.statement_timeout_s)
    give_up_locks_when_frozen(store.engine, round(LEASE_LASTS.total_seconds()))
    return Lease(store, name, LEASE_LASTS)
