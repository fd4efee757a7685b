"""Fills an empty store with the rows of a backup.

Some thousands of rows are a transaction: taking back millions at once would keep whoever interrupts it waiting for
minutes. Whether a store is whole is said by the mark of a restore under way (`cluster.backup.schema`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, column, insert, table
from sqlalchemy.exc import DataError, IntegrityError

from cluster.backup.manifest import TableMember
from cluster.backup.reading import BackupFile, Told
from cluster.backup.schema import bring_up, make_anew, newest_revision
from cluster.backup.snapshot import count
from cluster.backup.values import sql_type
from cluster.errors import CommandError
from cluster.late_indexes import drop_indexes
from domain.door.reconcile import disagreements
from domain.memberships.ledger_check import check_ledger
from domain.unit_of_work import Store

_MANY = 10_000
_REFUSED = "fill another kind of store from it, or this one from another backup: the next restore begins anew"


@dataclass(frozen=True, slots=True)
class Found:
    """Whether what was restored agrees with itself. As it was when the backup was taken, so it is now.

    Args:
        door: in what visits, open visits and scans disagree.
        ledger: in what memberships and their ledger disagree.
    """

    door: Sequence[str]
    ledger: Sequence[str]


def fill(store: Store, backup: BackupFile, told: Told) -> Found:
    """Make the tables as they were, write the rows, look through them, and take the steps that came since.

    Raises:
        CommandError: rows do not fit this store, or are not all there afterwards. What stays of them is no stack: the
            mark of a restore under way is there.
    """
    said = backup.manifest
    make_anew(store, said.revision)
    later = _drop_indexes(store, [each.name for each in said.tables if each.rows >= _MANY])
    for each in said.tables:
        _load(store, backup, each, told)
    _build_indexes(store, later)
    if said.revision != newest_revision():
        bring_up(store, newest_revision())
    with store.reading() as connection:
        return _examined(connection)


def _drop_indexes(store: Store, tables: Sequence[str]) -> Mapping[str, str]:
    """Drop what is built faster once the rows are there; with the statements that do so, by their tables."""
    if store.engine.dialect.name == "sqlite":  # where those of unique columns cannot be dropped
        return {}
    with store.writing() as connection:
        cursor = connection.connection.cursor()
        return {name: build for name in tables if (build := drop_indexes(cursor, name))}


def _build_indexes(store: Store, later: Mapping[str, str]) -> None:
    for name, build in later.items():
        with store.writing() as connection, _fitting(name):
            connection.exec_driver_sql(build)


def _load(store: Store, backup: BackupFile, each: TableMember, told: Told) -> None:
    names = [name for name, _ in each.columns]
    into = insert(table(each.name, *(column(name, sql_type(kind)) for name, kind in each.columns)))
    for part in backup.rows(each):
        with store.writing() as connection, _fitting(each.name):
            connection.execute(into, [dict(zip(names, row, strict=True)) for row in part])
        told(each.name, len(part))
    with store.reading() as connection:
        written = count(connection, each.name)
    if written != each.rows:
        raise CommandError(f"{each.name} has {written} rows in place of {each.rows}", _REFUSED)


@contextmanager
def _fitting(name: str) -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as error:
        # Of its text only the first line: the rest has the rows in it.
        why = str(error.orig).splitlines()[0][:200]
        raise CommandError(f"rows of {name} do not fit this store ({why})", _REFUSED) from error


def _examined(connection: Connection) -> Found:
    door = [f"{each.kind}  gym {each.gym_id or '-'}  {each.detail}" for each in disagreements(connection)]
    return Found(door, [f"{each.about}  {each.what}" for each in check_ledger(connection)])
