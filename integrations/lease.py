"""The holder's side of a lease: asked for, renewed by a thread of its own, checked, given back."""

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
_RENEWALS = 3  # while it lasts: two may fail
_LAST_RENEWAL_S = 1.0


class Lease:
    """Asked for again and again by all who would do the work; of one of them at a time.

    Args:
        store: where the lease is.
        name: what the lease is for; a word.
        lasts: how long after the last renewal others may take it. A process that dies or freezes is replaced then.
        monotonic: seconds of a clock that only rises.
    """

    def __init__(
        self, store: Store, name: str, lasts: timedelta, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.store: Store = FencedStore(store, self.check)  # its units of work are the holder's
        self._plain = store
        self._name = name
        self._lasts = lasts
        self._monotonic = monotonic
        self._owner = f"{socket.gethostname()[:200]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._changing = Lock()
        self._number: int | None = None
        self._held_until = _NEVER
        self._checked_at = _NEVER
        self._ended = Event()
        self._renewing: Thread | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it, as far as it knows by its own clock. Effects ask `check`."""
        return self._monotonic() < self._held_until

    @property
    def unchecked_for_s(self) -> float:
        """Seconds since the holder last made an effect, or tried to."""
        return self._monotonic() - self._checked_at

    def ask(self) -> bool:
        """Take the lease if it is free; it is renewed from then on.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be had.
            RuntimeError: the lease was taken, but no thread can be had to renew it: it expires, or is given back.
        """
        self._stop_renewing()
        began = self._monotonic()
        try:
            with self._plain.writing() as connection:
                number = take_lease(connection, self._name, self._owner, self._lasts)
        except IntegrityError:
            return False
        if number is None:
            return False
        with self._changing:
            self._number, self._held_until = number, began + self._lasts.total_seconds()
        self._ended = Event()
        renewing = Thread(target=self._renew, args=(number, self._ended), name=f"lease-{self._name}", daemon=True)
        renewing.start()
        self._renewing = renewing
        return True

    def check(self, connection: Connection) -> None:
        """See, in the transaction of an effect, that the lease is held; nobody takes it before that has ended.

        Raises:
            LeaseLostError: it is not.
        """
        self._checked_at = self._monotonic()
        number = self._number
        if number is None:
            raise LeaseLostError(f"lease {self._name} is not held")
        try:
            check_lease(connection, self._name, number)
        except LeaseLostError:
            self._lost(number)
            raise

    def release(self) -> None:
        """Give the lease back, so that another holder has it at once; nothing happens where it was lost."""
        self._stop_renewing()
        with self._changing:
            number, self._number, self._held_until = self._number, None, _NEVER
        if number is None:
            return
        try:
            with self._plain.writing() as connection:
                give_back_lease(connection, self._name, number)
        except SQLAlchemyError as error:
            _log.warning("lease_not_given_back", lease=self._name, error=type(error).__name__)  # it expires

    def _renew(self, number: int, ended: Event) -> None:
        pace_s = self._lasts.total_seconds() / _RENEWALS
        while not ended.wait(pace_s):
            began = self._monotonic()
            try:
                with self._plain.writing() as connection:
                    renewed = renew_lease(connection, self._name, number, self._lasts)
            except Exception as error:  # noqa: BLE001 - whatever it was: it is tried again while the lease lasts
                _log.warning("lease_not_renewed", lease=self._name, error=type(error).__name__)
                if not self.is_held:
                    return
                continue
            if not renewed:
                self._lost(number)
                return
            with self._changing:
                if self._number == number:
                    self._held_until = began + self._lasts.total_seconds()

    def _lost(self, number: int) -> None:
        with self._changing:
            if self._number != number:
                return
            self._number, self._held_until = None, _NEVER
        _log.warning("lease_lost", lease=self._name, number=number)

    def _stop_renewing(self) -> None:
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join(_LAST_RENEWAL_S)
            self._renewing = None
