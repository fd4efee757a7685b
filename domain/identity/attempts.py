"""Wrong tries: a few are free, after that each one has to wait.

Each purpose has counters of its own, so that nothing that is done for one purpose frees or blocks another one. What is
counted is named by a hash, whether or not there is such an account, so that neither an answer nor a row tells which
addresses have one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.identity.addresses import account_name

FORGOTTEN_AFTER = timedelta(hours=24)
AN_HOUR = timedelta(hours=1)
_SEPARATOR = "\0"


class AttemptPurpose(StrEnum):
    """What somebody tries to do."""

    SIGN_IN = "sign_in"
    CONFIRM = "confirm"
    RESET = "reset"
    CHANGE = "change"
    MAIL = "mail"  # asks for a mail to be sent: nothing is proven by that, so nothing clears it


class Scope(StrEnum):
    """Whose tries one counter counts."""

    DEVICE = "device"  # of one device that has signed in to the account before
    HERE = "here"  # for one account from one network
    STRANGERS = "strangers"  # for one account, or a record that is named, from everywhere; known devices left out
    NETWORK = "network"  # for all accounts from one network, known devices left out


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How many wrong tries are free, and what those that are not wait for.

    Args:
        free: for one account from one network; of a known device before it counts as a stranger.
        free_of_network: from one network for all accounts.
        longest_delay: after a wrong try that was not free.
        strangers_an_hour: for one account from everywhere.
        mails_an_hour: that strangers have sent to one address.
        mails_of_network_an_hour: that one network has sent to all addresses.
    """

    free: int
    free_of_network: int
    longest_delay: timedelta
    strangers_an_hour: int
    mails_an_hour: int
    mails_of_network_an_hour: int


@dataclass(frozen=True, slots=True)
class Counter:
    """One thing by which tries are counted."""

    purpose: AttemptPurpose
    scope: Scope
    value: str

    @property
    def key(self) -> str:
        """What is kept of it."""
        named = _SEPARATOR.join([self.purpose, self.scope, self.value])
        return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()

    def most_an_hour(self, limits: AttemptLimits) -> int | None:
        """How many there may be in an hour; None where delays grow instead."""
        if self.scope is Scope.STRANGERS:
            return limits.mails_an_hour if self.purpose is AttemptPurpose.MAIL else limits.strangers_an_hour
        if self.scope is Scope.NETWORK and self.purpose is AttemptPurpose.MAIL:
            return limits.mails_of_network_an_hour
        return None


def of_stranger(purpose: AttemptPurpose, email: str, network: str, record: UUID | None = None) -> tuple[Counter, ...]:
    """By what a try is counted that no known device makes.

    Args:
        purpose: see there.
        email: of the account.
        network: from where.
        record: the sign-up or reset that the try names, with whose code alone it is compared. Strangers, who cannot
            name the owner's, then never use up the owner's tries.
    """
    account = account_name(email)
    return (
        Counter(purpose, Scope.HERE, f"{account}{_SEPARATOR}{network}"),
        Counter(purpose, Scope.STRANGERS, account if record is None else f"{account}{_SEPARATOR}{record}"),
        Counter(purpose, Scope.NETWORK, network),
    )


def of_device(purpose: AttemptPurpose, device: str) -> Counter:
    """By what a try of a known device is counted."""
    return Counter(purpose, Scope.DEVICE, device)


def delay_after(failures: int, scope: Scope, limits: AttemptLimits) -> timedelta:
    """How long the next try has to wait: nothing while tries are free, then 1 s, 2 s, 4 s … up to the longest."""
    beyond = failures - (limits.free_of_network if scope is Scope.NETWORK else limits.free)
    if beyond < 0:
        return timedelta(0)
    # Past 2**30 s nothing grows any more, whatever the longest delay.
    return min(timedelta(seconds=2 ** min(beyond, 30)), limits.longest_delay)


@dataclass(frozen=True, slots=True)
class _Count:
    """What one counter says.

    Args:
        is_kept: whether there is a row of it, which this unit of work has locked.
        since: the last wrong try, or the beginning of the hour in which they are counted.
    """

    is_kept: bool
    failures: int
    since: datetime
    blocked_until: datetime | None

    def one_more(self, counter: Counter, limits: AttemptLimits, now: datetime) -> "_Count":
        """The same after another wrong try."""
        failures = self.failures + 1
        most = counter.most_an_hour(limits)
        if most is not None:
            until = self.since + AN_HOUR if failures >= most else None
            return replace(self, failures=failures, blocked_until=until)
        if counter.scope is Scope.DEVICE:  # it never waits: with too many it is a stranger
            return replace(self, failures=failures, since=now, blocked_until=None)
        delay = delay_after(failures, counter.scope, limits)
        return replace(self, failures=failures, since=now, blocked_until=now + delay if delay else None)

    def one_fewer(self, counter: Counter, limits: AttemptLimits, blocked_until: datetime | None) -> "_Count":
        """The same without a try that was not wrong. `blocked_until`: what that try itself has set."""
        failures = max(0, self.failures - 1)
        most = counter.most_an_hour(limits)
        free = failures < most if most is not None else not delay_after(failures, counter.scope, limits)
        # A delay that another try has set in the meantime stays.
        own = most is None and self.blocked_until == blocked_until
        return replace(self, failures=failures, blocked_until=None if free or own else self.blocked_until)


@dataclass(frozen=True, slots=True)
class Counted:
    """A try that was counted: until when each counter blocks others because of it."""

    blocked_until: Mapping[Counter, datetime | None]
