"""Leases: work that one process of all does at a time, and whose effects nobody else makes meanwhile.

A lease is a row: who has it, until when by the database's clock, and a fencing number that rises whenever it is taken.
Each effect checks number and time in its own transaction, so a holder that was frozen, or whose connection was closed,
changes nothing once somebody else can have the lease.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, Table, insert, literal_column, select, update

from domain.column_types import Instant, code
from domain.metadata import metadata
from domain.unit_of_work import Store

# Who does what one process of all does at a time; see domain/leases.py. Times are those of the database's own clock.
leases = Table(
    "leases",
    metadata,
    Column("name", code(32), primary_key=True),
    Column("owner", code(255)),  # null once it was given back
    Column("number", BigInteger, nullable=False),  # rises whenever the lease is taken
    Column("expires_at", Instant, nullable=False),
)


Check = Callable[[Connection], None]
_MICROSECOND = timedelta(microseconds=1)


class LeaseLostError(Exception):
    """The lease has expired, or somebody else has it: what was about to happen did not."""


class FencedStore(Store):
    """A store whose units of work change nothing once the lease is lost.

    Args:
        store: whose connections it uses.
        check: raises `LeaseLostError` unless the lease is held; called at the beginning of each unit of work.
    """

    def __init__(self, store: Store, check: Check) -> None:
        self.engine = store.engine
        self._check = check

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A unit of work of the holder.

        Raises:
            LeaseLostError: nothing was done.
        """
        with super().writing() as connection:
            self._check(connection)
            yield connection


def take_lease(connection: Connection, name: str, owner: str, lasts: timedelta) -> int | None:
    """Take a lease that is free or has expired.

    Returns:
        Its fencing number; None while somebody has it.

    Raises:
        sqlalchemy.exc.IntegrityError: somebody else took it for the first time in this very moment.
    """
    own = {"owner": owner, "expires_at": _now(connection, lasts)}
    is_free = leases.c.owner.is_(None) | (leases.c.expires_at <= _now(connection))
    # Without a lock: whoever only asks must not wait for a holder that is at work.
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
    """Have a lease last from now on; False where it has expired, was given back, or somebody else has it."""
    renewed = connection.execute(
        update(leases).where(*_held(connection, name, number)).values(expires_at=_now(connection, lasts))
    )
    return renewed.rowcount == 1


def check_lease(connection: Connection, name: str, number: int) -> None:
    """See that a lease is held. Nobody else can take it before this transaction has ended.

    Raises:
        LeaseLostError: it is not.
    """
    held = select(leases.c.number).where(*_held(connection, name, number)).with_for_update(read=True)
    if connection.execute(held).one_or_none() is None:
        raise LeaseLostError(f"lease {name} number {number} has expired or was taken")


def give_back_lease(connection: Connection, name: str, number: int) -> None:
    """Let whoever asks next have a lease at once; nothing happens where it is held no more."""
    connection.execute(update(leases).where(leases.c.name == name, leases.c.number == number).values(owner=None))


def _held(connection: Connection, name: str, number: int) -> tuple[ColumnElement[bool], ...]:
    unexpired = leases.c.expires_at > _now(connection)
    return leases.c.name == name, leases.c.number == number, leases.c.owner.is_not(None), unexpired


def _now(connection: Connection, later: timedelta = timedelta(0)) -> ColumnElement[Any]:
    """The database's own clock: holders on several machines have no other in common."""
    if connection.dialect.name == "sqlite":
        return literal_column(f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{later.total_seconds():+.3f} seconds')")
    return literal_column(f"TIMESTAMPADD(MICROSECOND, {later // _MICROSECOND}, UTC_TIMESTAMP(6))")
