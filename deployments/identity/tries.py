"""Tries to sign in and the like, counted around what is tried."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from domain.clock import Clock
from domain.identity.addresses import account_name
from domain.identity.attempts import (
    AttemptLimits,
    AttemptRepository,
    Counted,
    Counter,
    Purpose,
    of_device,
    of_stranger,
)
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from domain.identity.ports import ProviderAwayError
from domain.identity.repository import UserRepository
from domain.unit_of_work import should_decide_again
from integrations.device_cookies import DeviceCookies
from integrations.settings import IdentitySettings

R = TypeVar("R")
T = TypeVar("T")

# Cognito's own "too many" is counted as well: nobody asks it without an end. `NOT_CONFIRMED`: anybody can sign an
# address up, and knows the password of that sign-up.
_COUNTED = {
    IdentityProblem.WRONG_CREDENTIALS,
    IdentityProblem.WRONG_CODE,
    IdentityProblem.TOO_MANY_ATTEMPTS,
    IdentityProblem.NOT_CONFIRMED,
}
_A_MOMENT = timedelta(seconds=1)
_log = structlog.get_logger(__name__)


class Written(Protocol):
    """Runs a use case in a unit of work of its own."""

    def __call__(self, use_case: Callable[[Connection], R], /) -> R:
        """What it answers."""


class Tries:
    """Delays whoever has tried too often, whether or not there is such an account.

    A stranger is counted by account and network, by account, and by network. A device that has signed in to the account
    before is counted by itself: it gets in while strangers have to wait. A try is counted before it is made and taken
    back once it was not wrong: of many at once each counts.

    Args:
        written: see there.
        limits: of wrong tries.
        clock: the present.
        devices: the cookies of devices.
    """

    def __init__(self, written: Written, limits: IdentitySettings, clock: Clock, devices: DeviceCookies) -> None:
        self._written = written
        self._clock = clock
        self._limits = limits_of(limits)
        self._devices = devices

    def of(
        self,
        purpose: Purpose,
        email: str,
        client: Client,
        attempt: Callable[[], T | IdentityRefusal],
        record: UUID | None = None,
    ) -> T | IdentityRefusal:
        """What an attempt gives, or that it is not looked at for now; `record` as of `of_stranger`."""
        counted = self._counted(purpose, email, client, record)
        if isinstance(counted, timedelta):
            return _refusal(counted)
        try:
            result = attempt()
        except ProviderAwayError:
            self._take_back(counted, proven=False)  # nobody has learned anything
            raise
        if not (isinstance(result, IdentityRefusal) and result.problem in _COUNTED):
            # Any other refusal proves nothing: a password that is too weak comes before the code is looked at.
            self._take_back(counted, proven=not isinstance(result, IdentityRefusal))
        return result

    def without_proof(self, email: str, client: Client) -> IdentityRefusal | None:
        """Count what shows nothing that could be right or wrong: asking for a mail."""
        counted = self._counted(Purpose.MAIL, email, client)
        return _refusal(counted) if isinstance(counted, timedelta) else None

    def device_cookie(self, email: str | None, user_id: UUID, since: datetime) -> str:
        """The cookie of a device that has just proven to be the account's; empty where there is none.

        Args:
            email: the account's; None of one without an address, which nobody tries to sign in to.
            user_id: whose account it is.
            since: when the proof began.
        """
        return self._devices.issue(account_name(email), user_id, since) if email else ""

    def _counted(self, purpose: Purpose, email: str, client: Client, record: UUID | None = None) -> Counted | timedelta:
        def use_case(connection: Connection) -> Counted | timedelta:
            tries, now = AttemptRepository(connection, self._limits), self._clock()
            device = self._known_device(connection, purpose, email, client, now)
            known = device is not None and tries.is_trusted(device, now)
            counters = [device] if device and known else of_stranger(purpose, email, client.network, record)
            return tries.attempt(counters, now)

        try:
            return self._written(use_case)
        except DBAPIError as error:
            if not should_decide_again(error):
                raise
            return _A_MOMENT  # so many at once that this one never had its turn: none is let through uncounted

    def _known_device(
        self, connection: Connection, purpose: Purpose, email: str, client: Client, now: datetime
    ) -> Counter | None:
        if not client.device_cookie:
            return None
        account, users = account_name(email), UserRepository(connection)
        device = self._devices.read(client.device_cookie, account, now)
        if device is None:
            return None
        # Whoever held the address before may have collected cookies for what is another account now.
        user = users.user(device.user_id)
        if user is not None and (user.deleted_at is not None or user.email not in {None, account}):
            return None
        # Whoever knew the old password may have collected cookies with it.
        changed_at = users.password_changed_at(device.user_id)
        return None if changed_at is not None and device.since < changed_at else of_device(purpose, device.id)

    def _take_back(self, counted: Counted, *, proven: bool) -> None:
        def use_case(connection: Connection) -> None:
            AttemptRepository(connection, self._limits).take_back(counted, self._clock(), proven=proven)

        try:
            self._written(use_case)
        except DBAPIError as error:
            if not should_decide_again(error):
                raise
            _log.warning("try_not_taken_back")  # a delay too long, sooner or later; what was tried stands


def limits_of(settings: IdentitySettings) -> AttemptLimits:
    """As the settings say."""
    return AttemptLimits(
        free=settings.failed_attempts_before_delay,
        free_of_network=settings.failed_attempts_before_delay_per_address,
        longest_delay=timedelta(seconds=settings.max_attempt_delay_s),
        strangers_an_hour=settings.unknown_device_attempts_per_hour,
        mails_an_hour=settings.unknown_device_mails_per_hour,
        mails_of_network_an_hour=settings.mails_per_address_per_hour,
    )


def _refusal(wait: timedelta) -> IdentityRefusal:
    seconds = max(1, ceil(wait.total_seconds()))
    return IdentityRefusal(
        IdentityProblem.TOO_MANY_ATTEMPTS, f"Too many tries. The next one is looked at in {seconds} s.", seconds
    )
