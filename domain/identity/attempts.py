"""Wrong tries to sign in: a few are free, after that each one has to wait longer.

What is counted is named by a hash, whether or not there is such an account, so that neither an answer nor a row
tells which addresses have one.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from domain.tables import sign_in_attempts

FORGOTTEN_AFTER = timedelta(hours=24)
_SWEPT_AT_ONCE = 500


class Kind(StrEnum):
    """What tries are counted by."""

    ACCOUNT = "account"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How many wrong tries are free, and the longest delay after those that are not."""

    free: int
    free_of_address: int
    longest_delay: timedelta


@dataclass(frozen=True, slots=True)
class Counted:
    """One thing by which tries are counted."""

    kind: Kind
    value: str

    @property
    def key(self) -> str:
        """What is kept of it."""
        return hashlib.sha256(f"{self.kind}:{self.value.strip().lower()}".encode()).hexdigest()


def counted(email: str, address: str) -> list[Counted]:
    """By what a try is counted: the account, and from where it comes as far as that is known."""
    found = [Counted(Kind.ACCOUNT, email)]
    return [*found, Counted(Kind.ADDRESS, address)] if address else found


def delay_after(failures: int, kind: Kind, limits: AttemptLimits) -> timedelta:
    """How long the next try has to wait: nothing while tries are free, then 1 s, 2 s, 4 s … up to the longest."""
    free = limits.free if kind is Kind.ACCOUNT else limits.free_of_address
    beyond = failures - free
    if beyond < 0:
        return timedelta(0)
    # Past 2**30 s nothing grows any more, whatever the longest delay.
    return min(timedelta(seconds=2 ** min(beyond, 30)), limits.longest_delay)


class AttemptRepository:
    """Wrong tries, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wait(self, what: Iterable[Counted], now: datetime) -> timedelta:
        """How long until a try is looked at; nothing when it may be now."""
        until = self._connection.execute(
            select(sign_in_attempts.c.blocked_until).where(sign_in_attempts.c.key.in_([one.key for one in what]))
        ).scalars()
        waits = [moment - now for moment in until if moment is not None and moment > now]
        return max(waits, default=timedelta(0))

    def count(self, what: Collection[Counted], limits: AttemptLimits, now: datetime) -> None:
        """Count one wrong try; of those that come at once each is counted.

        Raises:
            sqlalchemy.exc.DBAPIError: another one was first: roll back and count again.
        """
        for one in sorted(what, key=lambda each: each.key):  # in one order, so that no two wait for each other
            row = self._connection.execute(
                select(sign_in_attempts).where(sign_in_attempts.c.key == one.key).with_for_update()
            ).one_or_none()
            fresh = row is None or now - row.last_failed_at > FORGOTTEN_AFTER
            failures = 1 if row is None or fresh else row.failures + 1
            delay = delay_after(failures, one.kind, limits)
            values = {
                "failures": failures,
                "last_failed_at": now,
                "blocked_until": now + delay if delay else None,
            }
            if row is None:
                self._sweep(now)
                self._connection.execute(insert(sign_in_attempts).values(key=one.key, **values))
            else:
                self._connection.execute(
                    update(sign_in_attempts).where(sign_in_attempts.c.key == one.key).values(**values)
                )

    def forgive(self, what: Iterable[Counted], limits: AttemptLimits) -> None:
        """Take a counted try back, for it was right: the account is free again, the address has one fewer."""
        for one in sorted(what, key=lambda each: each.key):
            this = sign_in_attempts.c.key == one.key
            if one.kind is Kind.ACCOUNT:
                self._connection.execute(delete(sign_in_attempts).where(this))
                continue
            failures = self._connection.execute(
                select(sign_in_attempts.c.failures).where(this).with_for_update()
            ).scalar_one_or_none()
            if failures is not None:
                left = max(0, failures - 1)
                free = {"blocked_until": None} if not delay_after(left, one.kind, limits) else {}
                self._connection.execute(update(sign_in_attempts).where(this).values(failures=left, **free))

    def _sweep(self, now: datetime) -> None:
        old = self._connection.execute(
            select(sign_in_attempts.c.key)
            .where(sign_in_attempts.c.last_failed_at < now - FORGOTTEN_AFTER)
            .limit(_SWEPT_AT_ONCE)
        ).scalars()
        keys = list(old)
        if keys:
            self._connection.execute(delete(sign_in_attempts).where(sign_in_attempts.c.key.in_(keys)))
