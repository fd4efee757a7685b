"""The schema of a database that a backup is restored into: its revision, whether it is empty, its mark of a restore."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect

from cluster.backup.snapshot import count
from cluster.errors import CommandError
from domain.column_types import Instant
from domain.migrations.run import bring_to, known_steps
from domain.tables import metadata
from domain.unit_of_work import Store

_REVISION_TABLE = "alembic_version"
_own = MetaData()
# Exists only during a restore: a database with this table is incomplete, and no stack starts with it.
_restore_mark = Table(
    "restore_under_way",
    _own,
    Column("backup_id", String(36), primary_key=True),
    Column("began_at", Instant, nullable=False),
)


def newest_revision() -> str:
    """The newest schema revision that this version knows."""
    return known_steps().get_current_head() or ""


def refuse_unknown_revision(revision: str, version: str) -> None:
    """Refuse a backup whose schema revision this version does not know.

    Args:
        revision: of the backup.
        version: of FIT Monitor that wrote the backup.

    Raises:
        CommandError: it is unknown.
    """
    known = {step.revision for step in known_steps().walk_revisions()}
    if revision not in known:
        raise CommandError(
            f"this backup has schema revision {revision}, but the newest that this version knows is "
            f"{newest_revision()}",
            f"restore it with version {version} or newer, then upgrade",
        )


def row_counts(connection: Connection) -> Mapping[str, int]:
    """The number of rows by table, of tables that are not empty."""
    names = set(inspect(connection).get_table_names()) - {_REVISION_TABLE, _restore_mark.name}
    counted = {name: count(connection, name) for name in sorted(names)}
    return {name: rows for name, rows in counted.items() if rows}


def is_half_filled(connection: Connection) -> bool:
    """Whether a restore was interrupted here."""
    return inspect(connection).has_table(_restore_mark.name)


def refuse_half_filled(url: str) -> None:
    """Refuse to use a database whose restore was interrupted.

    Raises:
        CommandError: it was.
    """
    store = Store(url, pool_size=1)
    try:
        with store.reading() as connection:
            if is_half_filled(connection):
                raise CommandError(
                    "a restore was interrupted here", "run `fitmonitor restore` again, which starts over"
                )
    finally:
        store.close()


def add_restore_mark(store: Store, backup_id: UUID, now: datetime) -> None:
    """Mark the database as incomplete. Added first and removed last: MySQL commits at every change of a table."""
    with store.writing() as connection:
        _own.create_all(connection)
        connection.execute(_restore_mark.delete())
        connection.execute(_restore_mark.insert().values(backup_id=str(backup_id), began_at=now))


def remove_restore_mark(store: Store) -> None:
    """Mark the database as complete."""
    with store.writing() as connection:
        _own.drop_all(connection)


def recreate_tables(store: Store, revision: str) -> None:
    """Drop all tables, and create those of a schema revision, empty."""
    with store.writing() as connection:
        metadata.drop_all(connection)
        Table(_REVISION_TABLE, MetaData()).drop(connection, checkfirst=True)
    upgrade_schema(store, revision)


def upgrade_schema(store: Store, revision: str) -> None:
    """Run all migrations up to a schema revision."""
    with store.writing() as connection:
        bring_to(connection, revision)
