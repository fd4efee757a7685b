"""Leases: work that only one process does at a time.

A lease is a row: its holder, its expiry by the database's clock, and a fencing number that rises with every holder.
Each effect checks number and expiry in its own transaction. So a holder that was suspended, or lost its connection,
changes nothing after another process can have the lease.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Table, insert, literal_column, select, update

from domain.column_types import Instant, code
from domain.metadata import metadata
from domain.unit_of_work import Store

leases = Table(
    "leases",
    metadata,
    Column("name", code(32), primary_key=True),
    Column("owner", code(255)),  # null after it was returned
    Column("number", BigInteger, nullable=False),  # rises with every holder
    Column("expires_at", Instant, nullable=False),
)


Check = Callable[[Connection], None]
_MICROSECOND = timedelta(microseconds=1)


class LeaseLostError(Exception):
    """The lease has expired or has another holder, so the effect did not happen."""


class FencedStore(Store):
    """A store whose units of work change nothing after the lease is lost.

    Args:
        store: its connections are used.
        check: raises `LeaseLostError` unless the lease is held; called at the beginning of each unit of work.
    """

    def __init__(self, store: Store, check: Check) -> None:
        self.engine = store.engine
        self._check = check

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A unit of work of the holder.

        Raises:
            LeaseLostError: nothing was written.
        """
        with super().writing() as connection:
            self._check(connection)
            yield connection


def take_lease(connection: Connection, name: str, owner: str, lasts: timedelta) -> int | None:
    """Take a lease that is free or has expired.

    Returns:
        Its fencing number; None if there is another holder.

    Raises:
        sqlalchemy.exc.IntegrityError: another process created the lease at the same time.
    """
    own = {"owner": owner, "expires_at": _now(connection, lasts)}
    is_free = leases.c.owner.is_(None) | (leases.c.expires_at <= _now(connection))
    # Without a lock, so that this call does not wait for a transaction of the holder.
    found = connection.execute(select(leases.c.number, is_free).where(leases.c.name == name)).one_or_none()
    if found is None:
        connection.execute(insert(leases).values(name=name, number=1, **own))
        return 1
    if not found[1]:
        return None
    next_number: int = found.number + 1
    still_so = update(leases).where(leases.c.name == name, leases.c.number == found.number, is_free)
    taken = connection.execute(still_so.values(number=next_number, **own))
    return next_number if taken.rowcount == 1 else None


def renew_lease(connection: Connection, name: str, number: int, lasts: timedelta) -> bool:
    """Extend a lease from now on; False if it has expired, was returned, or has another holder."""
    renewed = connection.execute(
        update(leases).where(*_held(connection, name, number)).values(expires_at=_now(connection, lasts))
    )
    return renewed.rowcount == 1


def check_lease(connection: Connection, name: str, number: int) -> None:
    """Check that a lease is held. No other process can take it before this transaction has ended.

    Raises:
        LeaseLostError: the lease is not held.
    """
    held = select(leases.c.number).where(*_held(connection, name, number)).with_for_update(read=True)
    if connection.execute(held).one_or_none() is None:
        raise LeaseLostError(f"lease {name} number {number} has expired or was taken")


def give_back_lease(connection: Connection, name: str, number: int) -> None:
    """Return a lease, so that another process can take it at once. Does nothing if it is no longer held."""
    connection.execute(update(leases).where(leases.c.name == name, leases.c.number == number).values(owner=None))


def _held(connection: Connection, name: str, number: int) -> tuple[ColumnElement[bool], ...]:
    unexpired = leases.c.expires_at > _now(connection)
    return leases.c.name == name, leases.c.number == number, leases.c.owner.is_not(None), unexpired


def _now(connection: Connection, later: timedelta = timedelta(0)) -> ColumnElement[Any]:
    """The clock of the database, the only one that holders on several machines share."""
    if connection.dialect.name == "sqlite":
        return literal_column(f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{later.total_seconds():+.3f} seconds')")
    return literal_column(f"TIMESTAMPADD(MICROSECOND, {later // _MICROSECOND}, UTC_TIMESTAMP(6))")
