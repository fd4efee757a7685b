"""Work that one thread of all does again and again: whoever holds its lock does it, the others wait their turn."""

import time
from abc import abstractmethod
from collections.abc import Callable
from threading import Event

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from consumers.living_thread import LivingThread
from consumers.verdict import reason
from integrations.store_lock import StoreLock

_log = structlog.get_logger(__name__)


class Duty(LivingThread):
    """Does its work at a pace while it holds the lock, and asks for the lock while it does not.

    Args:
        name: of the thread, and of its lines in the log.
        lock: of the store that it is about.
        pace_s: from one round to the next.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; it rests by waiting for that.
    """

    def __init__(
        self,
        name: str,
        lock: StoreLock,
        pace_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__(name, monotonic, stopping)
        self._lock = lock
        self._pace_s = pace_s
        self._connection: Connection | None = None

    @abstractmethod
    def work(self, connection: Connection) -> None:
        """One round, over the connection that the lock ends with."""

    def close(self) -> None:
        """Give back what it has opened, once it has ended."""

    def run(self) -> None:
        """Work until stopped. No failure ends it: what is due stays so."""
        while not self._stopping.is_set():
            self._beat()
            try:
                self._connection = self._connection or self._lock.ask()
                if self._connection is not None:
                    self.work(self._connection)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("duty_waits", duty=self._name, reason=reason(error))
                self._let_go()
            except Exception:  # noqa: BLE001 - whatever it was, to try again is the answer
                _log.exception("duty_failed", duty=self._name)
                self._let_go()
            self._stopping.wait(self._pace_s)
        self._let_go()
        self.close()

    def _let_go(self) -> None:
        self._connection = None
        self._lock.release()
