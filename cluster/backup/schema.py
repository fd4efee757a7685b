"""The tables of a store that is to be filled: at which step they are, whether anything is in them, made anew."""

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

_STEPS = "alembic_version"
_own = MetaData()
# There only while a store is filled: what is in a store with this table is no stack.
_under_way = Table(
    "restore_under_way",
    _own,
    Column("backup_id", String(36), primary_key=True),
    Column("began_at", Instant, nullable=False),
)


def newest_revision() -> str:
    """The last step that is known here."""
    return known_steps().get_current_head() or ""


def refuse_unknown(revision: str, version: str) -> None:
    """Refuse a backup whose tables had a step that is not known here.

    Raises:
        CommandError: they had.
    """
    known = {step.revision for step in known_steps().walk_revisions()}
    if revision not in known:
        raise CommandError(
            f"this backup's tables are of step {revision}, and the last one known here is {newest_revision()}",
            f"restore it with version {version} or newer, then go on from there",
        )


def occupied(connection: Connection) -> Mapping[str, int]:
    """How many rows are in which table, of those that have any."""
    names = set(inspect(connection).get_table_names()) - {_STEPS, _under_way.name}
    counted = {name: count(connection, name) for name in sorted(names)}
    return {name: rows for name, rows in counted.items() if rows}


def is_half_filled(connection: Connection) -> bool:
    """Whether a restore began here and never came to its end."""
    return inspect(connection).has_table(_under_way.name)


def refuse_half_filled(url: str) -> None:
    """Refuse to use a store in which a restore never came to its end.

    Raises:
        CommandError: one did not.
    """
    store = Store(url, pool_size=1)
    try:
        with store.reading() as connection:
            if is_half_filled(connection):
                raise CommandError("a restore was cut short here", "run `fitmonitor restore` again to begin it anew")
    finally:
        store.close()


def mark(store: Store, backup_id: UUID, now: datetime) -> None:
    """Say that a restore is under way. First of all and taken away last: MySQL commits at every change of a table."""
    with store.writing() as connection:
        _own.create_all(connection)
        connection.execute(_under_way.delete())
        connection.execute(_under_way.insert().values(backup_id=str(backup_id), began_at=now))


def make_anew(store: Store, revision: str) -> None:
    """Make the tables anew, empty, as they were at a step."""
    with store.writing() as connection:
        metadata.drop_all(connection)
        Table(_STEPS, MetaData()).drop(connection, checkfirst=True)
    bring_up(store, revision)


def bring_up(store: Store, revision: str) -> None:
    """Take every step up to that one."""
    with store.writing() as connection:
        bring_to(connection, revision)


def unmark(store: Store) -> None:
    """Take the mark away: the store is whole."""
    with store.writing() as connection:
        _own.drop_all(connection)
