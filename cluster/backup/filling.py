"""Fills an empty store with the rows of a backup: all of them in one transaction, or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, column, insert, table
from sqlalchemy.exc import DataError, IntegrityError

from cluster.backup.manifest import TableMember
from cluster.backup.reading import BackupFile, Told
from cluster.backup.schema import bring_up, make_anew, newest_revision
from cluster.backup.snapshot import count
from cluster.backup.values import sql_type
from cluster.errors import CommandError
from domain.door.reconcile import disagreements
from domain.memberships.check import check_ledger
from domain.unit_of_work import Store


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
        CommandError: rows do not fit this store, or are not all there afterwards; nothing stays of them.
    """
    said = backup.manifest
    make_anew(store, said.revision)
    is_newest = said.revision == newest_revision()
    with store.writing() as connection:
        for each in said.tables:
            _load(connection, backup, each, told)
        # In the same transaction: what does not add up is seen before anybody else can see it.
        found = _examined(connection) if is_newest else None
    if found is None:
        bring_up(store, newest_revision())
        with store.reading() as connection:
            found = _examined(connection)
    return found


def _load(connection: Connection, backup: BackupFile, each: TableMember, told: Told) -> None:
    names = [name for name, _ in each.columns]
    into = insert(table(each.name, *(column(name, sql_type(kind)) for name, kind in each.columns)))
    try:
        for part in backup.rows(each):
            connection.execute(into, [dict(zip(names, row, strict=True)) for row in part])
            told(each.name, len(part))
    except (DataError, IntegrityError) as error:
        # Of its text only the first line: the rest has the rows in it.
        why = str(error.orig).splitlines()[0][:200]
        raise CommandError(f"rows of {each.name} do not fit this store ({why})", "nothing of it was kept") from error
    written = count(connection, each.name)
    if written != each.rows:
        raise CommandError(f"{each.name} has {written} rows in place of {each.rows}", "nothing of it was kept")


def _examined(connection: Connection) -> Found:
    door = [f"{each.kind}  gym {each.gym_id or '-'}  {each.detail}" for each in disagreements(connection)]
    return Found(door, [f"{each.about}  {each.what}" for each in check_ledger(connection)])
