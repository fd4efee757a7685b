"""Limits on failed attempts: a few are free, later ones are delayed.

Each purpose has its own counters, so one purpose neither frees nor blocks another. A counter is named by a hash,
whether or not the account exists, so neither an answer nor a row reveals which addresses have an account.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.identity.email_addresses import account_name

FORGOTTEN_AFTER = timedelta(hours=24)
AN_HOUR = timedelta(hours=1)
_SEPARATOR = "\0"


class AttemptPurpose(StrEnum):
    """What an attempt is for."""

    SIGN_IN = "sign_in"
    CONFIRM = "confirm"
    RESET = "reset"
    CHANGE = "change"
    MAIL = "mail"  # requests a mail; this proves nothing, so nothing clears the counter


class Scope(StrEnum):
    """Which attempts one counter counts."""

    DEVICE = "device"  # by one device that has signed in to the account before
    HERE = "here"  # for one account from one network
    STRANGERS = "strangers"  # for one account, or one named record, from everywhere, without known devices
    NETWORK = "network"  # for all accounts from one network, without known devices


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How many failed attempts are free, and how long later ones are delayed.

    Args:
        free: for one account from one network; also of a known device before it counts as unknown.
        free_of_network: from one network for all accounts.
        longest_delay: after a failed attempt that was not free.
        strangers_an_hour: attempts of unknown devices for one account, from everywhere.
        mails_an_hour: to one address, requested by unknown devices.
        mails_of_network_an_hour: to all addresses, requested from one network.
    """

    free: int
    free_of_network: int
    longest_delay: timedelta
    strangers_an_hour: int
    mails_an_hour: int
    mails_of_network_an_hour: int


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of attempts."""

    purpose: AttemptPurpose
    scope: Scope
    value: str

    @property
    def key(self) -> str:
        """The hash that names the counter in the database."""
        named = _SEPARATOR.join([self.purpose, self.scope, self.value])
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()

    def most_an_hour(self, limits: AttemptLimits) -> int | None:
        """The limit per hour; None if delays grow instead."""
        if self.scope is Scope.STRANGERS:
            return limits.mails_an_hour if self.purpose is AttemptPurpose.MAIL else limits.strangers_an_hour
        if self.scope is Scope.NETWORK and self.purpose is AttemptPurpose.MAIL:
            return limits.mails_of_network_an_hour
        return None


def of_stranger(purpose: AttemptPurpose, email: str, network: str, record: UUID | None = None) -> tuple[Counter, ...]:
    """The counters of an attempt by an unknown device.

    Args:
        email: of the account.
        network: see `Client.network`.
        record: the sign-up or reset that the attempt names. Its code is compared with this record only, so strangers,
            who do not know the owner's record, cannot use up the owner's attempts.
    """
    account = account_name(email)
    return (
        Counter(purpose, Scope.HERE, f"{account}{_SEPARATOR}{network}"),
        Counter(purpose, Scope.STRANGERS, account if record is None else f"{account}{_SEPARATOR}{record}"),
        Counter(purpose, Scope.NETWORK, network),
    )


def of_device(purpose: AttemptPurpose, device: str) -> Counter:
    """The counter of an attempt by a known device."""
    return Counter(purpose, Scope.DEVICE, device)


def delay_after(failures: int, scope: Scope, limits: AttemptLimits) -> timedelta:
    """The delay before the next attempt: none while attempts are free, then 1 s, 2 s, 4 s … up to the longest."""
    beyond = failures - (limits.free_of_network if scope is Scope.NETWORK else limits.free)
    if beyond < 0:
        return timedelta(0)
    # No growth past 2**30 s, whatever the longest delay is.
    return min(timedelta(seconds=2 ** min(beyond, 30)), limits.longest_delay)


@dataclass(frozen=True, slots=True)
class _Count:
    """The present value of one counter.

    Args:
        is_kept: whether there is a row, which this unit of work has locked.
        since: the last failed attempt, or the beginning of the hour that is counted.
    """

    is_kept: bool
    failures: int
    since: datetime
    blocked_until: datetime | None

    def one_more(self, counter: Counter, limits: AttemptLimits, now: datetime) -> "_Count":
        """The value after another failed attempt."""
        failures = self.failures + 1
        most = counter.most_an_hour(limits)
        if most is not None:
            until = self.since + AN_HOUR if failures >= most else None
            return replace(self, failures=failures, blocked_until=until)
        if counter.scope is Scope.DEVICE:  # a known device never waits: after too many failures it counts as unknown
            return replace(self, failures=failures, since=now, blocked_until=None)
        delay = delay_after(failures, counter.scope, limits)
        return replace(self, failures=failures, since=now, blocked_until=now + delay if delay else None)

    def one_fewer(self, counter: Counter, limits: AttemptLimits, blocked_until: datetime | None) -> "_Count":
        """The value without an attempt that did not fail. `blocked_until` is what this attempt has set."""
        failures = max(0, self.failures - 1)
        most = counter.most_an_hour(limits)
        free = failures < most if most is not None else not delay_after(failures, counter.scope, limits)
        # A delay that another attempt has set meanwhile stays.
        own = most is None and self.blocked_until == blocked_until
        return replace(self, failures=failures, blocked_until=None if free or own else self.blocked_until)


@dataclass(frozen=True, slots=True)
class Counted:
    """A counted attempt: until when each counter blocks others because of it."""

    blocked_until: Mapping[Counter, datetime | None]
