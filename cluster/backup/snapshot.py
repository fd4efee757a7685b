"""Reads the database as it was at one moment, while it is written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Table, event, func, select, text

from domain.unit_of_work import Store

ROWS_PER_READ = 2000
# A statement over millions of rows may take longer than any call on the path of a scan.
_TIMEOUT_S = 3600


@contextmanager
def slow_store(url: str) -> Iterator[Store]:
    """A store with one connection whose statements may take an hour."""
    store = Store(url, pool_size=1)

    @event.listens_for(store.engine, "do_connect")
    def set_timeouts(_dialect: Dialect, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if store.engine.dialect.name in {"mysql", "mariadb"}:
            options["read_timeout"] = options["write_timeout"] = _TIMEOUT_S

    try:
        yield store
    finally:
        store.close()


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """A connection that reads what was committed when this was called, whatever is committed later.

    It takes no lock, so that writers do not wait. The database keeps what they replace until the end.
    """
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("BEGIN"))
            # SQLite's snapshot begins with the first read.
            connection.execute(text("SELECT COUNT(*) FROM sqlite_master"))
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
            # By default the server drops a result that is not fetched for a minute; a disk may be slower for once.
            connection.execute(text(f"SET SESSION net_write_timeout = {_TIMEOUT_S}"))
            connection.commit()
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield connection
        finally:
            connection.rollback()


def rows_of(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """All rows of a table in the order of its primary key, `ROWS_PER_READ` at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    streaming = {"stream_results": True, "yield_per": ROWS_PER_READ}
    with connection.execute(query, execution_options=streaming) as result:
        for part in result.partitions():
            yield [tuple(row) for row in part]


def count(connection: Connection, table: str) -> int:
    """The number of rows of a table."""
    found = connection.execute(select(func.count()).select_from(text(_quoted(connection, table))))
    return int(found.scalar_one())


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
