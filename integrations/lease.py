"""A lease of this process: acquire, renew on a thread, check in each transaction, release."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Lock, Thread

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from domain.leases import FencedStore, LeaseLostError, check_lease, give_back_lease, renew_lease, take_lease
from domain.unit_of_work import Store

_log = structlog.get_logger(__name__)

_NEVER = float("-inf")
_RENEWALS = 3  # per duration of the lease: two of them may fail
_LAST_RENEWAL_S = 1.0


class Lease:
    """A lease that one of several processes holds at a time.

    Args:
        store: the database with the lease.
        name: what the lease is for; one word.
        duration: how long the lease lasts after its last renewal. Then another process may take it.
        monotonic: a monotonic clock, in seconds.

    Attributes:
        store: the same database; each of its units of work checks the lease.
    """

    def __init__(
        self, store: Store, name: str, duration: timedelta, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.store: Store = FencedStore(store, self.check)
        self._unfenced_store = store
        self._name = name
        self._duration = duration
        self._monotonic = monotonic
        self._owner = f"{socket.gethostname()[:200]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._state_lock = Lock()
        self._number: int | None = None
        self._held_until = _NEVER
        self._checked_at = _NEVER
        self._renewal_ended = Event()
        self._renewal_thread: Thread | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, by its own clock. Transactions call `check` instead."""
        return self._monotonic() < self._held_until

    @property
    def seconds_since_check(self) -> float:
        """Seconds since the last transaction that checked the lease."""
        return self._monotonic() - self._checked_at

    def try_acquire(self) -> bool:
        """Take the lease if it is free. A thread renews it from then on.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is unavailable.
            RuntimeError: the lease was taken, but no thread can be started to renew it. It expires, or is released.
        """
        self._stop_renewal()
        began_at = self._monotonic()
        try:
            with self._unfenced_store.writing() as connection:
                number = take_lease(connection, self._name, self._owner, self._duration)
        except IntegrityError:  # another process took it for the first time at this moment
            return False
        if number is None:
            return False
        with self._state_lock:
            self._number, self._held_until = number, began_at + self._duration.total_seconds()
        ended = self._renewal_ended = Event()
        thread = Thread(target=self._renew_until, args=(ended, number), name=f"lease-{self._name}", daemon=True)
        thread.start()
        self._renewal_thread = thread
        return True

    def check(self, connection: Connection) -> None:
        """Check in a transaction that the lease is held. No other process can take it before the transaction ends.

        Raises:
            LeaseLostError: the lease is not held.
        """
        self._checked_at = self._monotonic()
        number = self._number
        if number is None:
            raise LeaseLostError(f"Lease {self._name} is not held")
        try:
            check_lease(connection, self._name, number)
        except LeaseLostError:
            self._forget(number)
            raise

    def release(self) -> None:
        """Release the lease, so that another process can take it at once. Does nothing when it is not held."""
        self._stop_renewal()
        with self._state_lock:
            number, self._number, self._held_until = self._number, None, _NEVER
        if number is None:
            return
        try:
            with self._unfenced_store.writing() as connection:
                give_back_lease(connection, self._name, number)
        except SQLAlchemyError as error:
            _log.warning("lease_not_released", lease=self._name, error=type(error).__name__)  # it expires

    def _renew_until(self, ended: Event, number: int) -> None:
        interval_s = self._duration.total_seconds() / _RENEWALS
        while not ended.wait(interval_s):
            began_at = self._monotonic()
            try:
                with self._unfenced_store.writing() as connection:
                    renewed = renew_lease(connection, self._name, number, self._duration)
            except Exception as error:  # noqa: BLE001 - any failure is retried while the lease lasts
                _log.warning("lease_not_renewed", lease=self._name, error=type(error).__name__)
                if not self.is_held:
                    return
                continue
            if not renewed:
                self._forget(number)
                return
            with self._state_lock:
                if self._number == number:
                    self._held_until = began_at + self._duration.total_seconds()

    def _forget(self, number: int) -> None:
        with self._state_lock:
            if self._number != number:
                return
            self._number, self._held_until = None, _NEVER
        _log.warning("lease_lost", lease=self._name, number=number)

    def _stop_renewal(self) -> None:
        self._renewal_ended.set()
        if self._renewal_thread is not None:
            self._renewal_thread.join(_LAST_RENEWAL_S)
            self._renewal_thread = None
