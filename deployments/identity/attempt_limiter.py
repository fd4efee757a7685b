"""Limits attempts to sign in, to enter codes, and to have mails sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from domain.clock import Clock
from domain.identity.attempt_repository import AttemptRepository
from domain.identity.attempts import AttemptLimits, AttemptPurpose, Counted, Counter, of_device, of_stranger
from domain.identity.email_addresses import account_name
from domain.identity.model import Client, IdentityProblem, IdentityRefusal
from domain.identity.ports import ProviderUnavailableError
from domain.identity.repository import UserRepository
from domain.unit_of_work import Store, should_retry
from integrations.device_cookies import DeviceCookies
from integrations.settings import IdentitySettings

T = TypeVar("T")

# `TOO_MANY_ATTEMPTS` is Cognito's own. `NOT_CONFIRMED` counts because anybody can sign up an address, and then knows
# the password of that sign-up.
_COUNTED = {
    IdentityProblem.WRONG_CREDENTIALS,
    IdentityProblem.WRONG_CODE,
    IdentityProblem.TOO_MANY_ATTEMPTS,
    IdentityProblem.NOT_CONFIRMED,
}
_A_MOMENT = timedelta(seconds=1)
_log = structlog.get_logger(__name__)


class AttemptLimiter:
    """Delays clients after too many failed attempts, whether or not the account exists.

    An unknown device is counted by account and network, by account, and by network. A device that has signed in to the
    account before has its own counter, so it gets in while unknown devices have to wait. An attempt is counted before
    it is made, so concurrent attempts all count; the count is undone unless the attempt fails.

    Args:
        devices: cookies of devices that have signed in before.
    """

    def __init__(self, store: Store, limits: IdentitySettings, clock: Clock, devices: DeviceCookies) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits_of(limits)
        self._devices = devices

    def attempt(
        self,
        purpose: AttemptPurpose,
        email: str,
        client: Client,
        action: Callable[[], T | IdentityRefusal],
        record: UUID | None = None,
    ) -> T | IdentityRefusal:
        """Run an action that may fail, unless the client has to wait first.

        Args:
            record: the sign-up or reset that the client names, see `of_stranger`.

        Returns:
            The result of the action, or `too_many_attempts`.
        """
        counted = self._counted(purpose, email, client, record)
        if isinstance(counted, timedelta):
            return _refusal(counted)
        try:
            result = action()
        except ProviderUnavailableError:
            self._undo(counted, proven=False)  # nothing was learned about the password
            raise
        if not (isinstance(result, IdentityRefusal) and result.problem in _COUNTED):
            # Any other refusal proves nothing: a weak password, for example, is refused before the code is compared.
            self._undo(counted, proven=not isinstance(result, IdentityRefusal))
        return result

    def count_mail(self, email: str, client: Client) -> IdentityRefusal | None:
        """Count a request for a mail, which cannot fail; refuse it if there were too many."""
        counted = self._counted(AttemptPurpose.MAIL, email, client)
        return _refusal(counted) if isinstance(counted, timedelta) else None

    def device_cookie(self, email: str | None, user_id: UUID, since: datetime) -> str:
        """A cookie for a device that has just proven to belong to the account; empty for an account without address.

        Args:
            email: of the account; None: it has none, so nobody signs in to it with a password.
            since: when the proof began.
        """
        return self._devices.issue(account_name(email), user_id, since) if email else ""

    def _counted(
        self, purpose: AttemptPurpose, email: str, client: Client, record: UUID | None = None
    ) -> Counted | timedelta:
        def use_case(connection: Connection) -> Counted | timedelta:
            attempts, now = AttemptRepository(connection, self._limits), self._clock()
            device = self._known_device(connection, purpose, email, client, now)
            known = device is not None and attempts.is_trusted(device, now)
            counters = [device] if device and known else of_stranger(purpose, email, client.network, record)
            return attempts.attempt(counters, now)

        try:
            return self._store.written(use_case)
        except DBAPIError as error:
            if not should_retry(error):
                raise
            return _A_MOMENT  # it lost every race for the counters; an attempt that is not counted is not made

    def _known_device(
        self, connection: Connection, purpose: AttemptPurpose, email: str, client: Client, now: datetime
    ) -> Counter | None:
        if not client.device_cookie:
            return None
        account, users = account_name(email), UserRepository(connection)
        device = self._devices.read(client.device_cookie, account, now)
        if device is None:
            return None
        # A former owner of the address may still have cookies, but it is another account now.
        user = users.user(device.user_id)
        if user is not None and (user.deleted_at is not None or user.email not in {None, account}):
            return None
        # Cookies from before a password change may belong to someone who knew the old password.
        changed_at = users.password_changed_at(device.user_id)
        return None if changed_at is not None and device.since < changed_at else of_device(purpose, device.id)

    def _undo(self, counted: Counted, *, proven: bool) -> None:
        def use_case(connection: Connection) -> None:
            AttemptRepository(connection, self._limits).take_back(counted, self._clock(), proven=proven)

        try:
            self._store.written(use_case)
        except DBAPIError as error:
            if not should_retry(error):
                raise
            _log.warning("attempt_count_not_undone")  # the next delay is too long; the attempt itself stands


def limits_of(settings: IdentitySettings) -> AttemptLimits:
    """The limits that the settings configure."""
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
    return IdentityRefusal(IdentityProblem.TOO_MANY_ATTEMPTS, f"Too many attempts. Try again in {seconds} s.", seconds)
