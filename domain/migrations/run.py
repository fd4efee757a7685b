"""Runs migrations: brings a database up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from domain.unit_of_work import Store

MIGRATIONS = Path(__file__).parent
# A server's locks have no database of their own; SHA-1 only makes any database's name fit into 64 characters.
_LOCK = text("SELECT GET_LOCK(CONCAT('fitmonitor-migrations ', SHA1(DATABASE())), :seconds)")
_WAIT_S = 60


class MigrationBusyError(Exception):
    """Another process migrates the same database."""


def upgrade(database_url: str, wait_s: int = _WAIT_S) -> None:
    """Run every step that the database lacks; a second run at the same time waits for the first.

    Args:
        database_url: as SQLAlchemy writes it.
        wait_s: how long it waits.

    Raises:
        MigrationBusyError: the first one takes longer; nothing was done.
        sqlalchemy.exc.DBAPIError: the database cannot be had, or refuses a step.
    """
    store = Store(database_url, pool_size=1)
    try:
        with store.engine.connect() as connection:
            _only_one(connection, wait_s)
            bring_to(connection, "head")
            connection.commit()
    finally:
        store.close()


def bring_to(connection: Connection, revision: str) -> None:
    """Run the steps up to that one within the connection's transaction, where the database has such for tables."""
    configuration = _configuration()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, revision)


def at_head(connection: Connection) -> bool:
    """Whether the database has had every step."""
    return revision_of(connection) == known_steps().get_current_head()


def revision_of(connection: Connection) -> str | None:
    """The last step that a database has had."""
    return MigrationContext.configure(connection).get_current_revision()


def known_steps() -> ScriptDirectory:
    """All steps that there are."""
    return ScriptDirectory.from_config(_configuration())


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def _only_one(connection: Connection, wait_s: int) -> None:
    # MySQL commits at each change of a table, so a transaction holds nobody off. The lock goes with the connection, and
    # so does the work: every step is a statement of this connection.
    if connection.dialect.name not in {"mysql", "mariadb"}:
        connection.execute(text("BEGIN IMMEDIATE"))
    elif connection.execute(_LOCK, {"seconds": wait_s}).scalar_one() != 1:
        raise MigrationBusyError(f"another migration of this database takes longer than {wait_s} s")
