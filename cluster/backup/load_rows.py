"""Loads the rows of a backup into an empty database, and checks that they agree.

Each transaction has some thousands of rows, because a rollback of millions would take minutes. The mark of a restore
(`cluster.backup.schema`) says that the database is incomplete.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, column, insert, table
from sqlalchemy.exc import DataError, IntegrityError

from cluster.backup.manifest import TableMember
from cluster.backup.progress import Progress
from cluster.backup.reader import BackupFile
from cluster.backup.row_format import sql_type
from cluster.backup.schema import newest_revision, recreate_tables, upgrade_schema
from cluster.backup.snapshot import count
from cluster.deferred_indexes import drop_indexes
from cluster.errors import CommandError
from domain.door.reconcile import disagreements
from domain.memberships.ledger_check import check_ledger
from domain.unit_of_work import Store

_LARGE_TABLE = 10_000
_HINT = "restore it into another kind of database, or use another backup: the next restore starts over"


@dataclass(frozen=True, slots=True)
class Disagreements:
    """What disagrees in the restored data. It disagreed when the backup was taken.

    Args:
        door: between visits, open visits and scans.
        ledger: between memberships and their ledger.
    """

    door: Sequence[str]
    ledger: Sequence[str]


def load(store: Store, backup: BackupFile, progress: Progress) -> Disagreements:
    """Create the tables of the backup's schema, insert the rows, check them, and run later migrations.

    Raises:
        CommandError: rows do not fit this database, or are missing afterwards. The mark of a restore stays.
    """
    manifest = backup.manifest
    recreate_tables(store, manifest.revision)
    statements = _drop_indexes(store, [each.name for each in manifest.tables if each.rows >= _LARGE_TABLE])
    for each in manifest.tables:
        _load_table(store, backup, each, progress)
    _build_indexes(store, statements)
    if manifest.revision != newest_revision():
        upgrade_schema(store, newest_revision())
    with store.reading() as connection:
        return _disagreements(connection)


def _drop_indexes(store: Store, tables: Sequence[str]) -> Mapping[str, str]:
    """Drop the indexes that are faster to build at the end; returns the statements for that, by table."""
    if store.engine.dialect.name == "sqlite":  # it cannot drop the indexes of unique columns
        return {}
    with store.writing() as connection:
        cursor = connection.connection.cursor()
        return {name: build for name in tables if (build := drop_indexes(cursor, name))}


def _build_indexes(store: Store, statements: Mapping[str, str]) -> None:
    for name, statement in statements.items():
        with store.writing() as connection, _row_errors(name):
            connection.exec_driver_sql(statement)


def _load_table(store: Store, backup: BackupFile, each: TableMember, progress: Progress) -> None:
    names = [name for name, _ in each.columns]
    statement = insert(table(each.name, *(column(name, sql_type(kind)) for name, kind in each.columns)))
    for part in backup.rows(each):
        with store.writing() as connection, _row_errors(each.name):
            connection.execute(statement, [dict(zip(names, row, strict=True)) for row in part])
        progress(each.name, len(part))
    with store.reading() as connection:
        written = count(connection, each.name)
    if written != each.rows:
        raise CommandError(f"{each.name} has {written} rows instead of {each.rows}", _HINT)


@contextmanager
def _row_errors(table_name: str) -> Iterator[None]:
    try:
        yield
    except (DataError, IntegrityError) as error:
        # Only the first line: the others contain rows.
        reason = str(error.orig).splitlines()[0][:200]
        raise CommandError(f"rows of {table_name} do not fit this database ({reason})", _HINT) from error


def _disagreements(connection: Connection) -> Disagreements:
    door = [f"{each.kind}  gym {each.gym_id or '-'}  {each.detail}" for each in disagreements(connection)]
    return Disagreements(door, [f"{each.about}  {each.what}" for each in check_ledger(connection)])
