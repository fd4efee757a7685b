"""The store as it was at one moment, read while it is written on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect, Table, event, func, select, text

from domain.unit_of_work import Store

ROWS_AT_ONCE = 2000
# A statement over millions of rows may be silent for longer than any call on the way of a scan.
_PATIENCE_S = 3600


@contextmanager
def patient_store(url: str) -> Iterator[Store]:
    """A store with one connection whose statements may take long."""
    store = Store(url, pool_size=1)

    @event.listens_for(store.engine, "do_connect")
    def be_patient(_dialect: Dialect, _record: Any, _arguments: Any, named: dict[str, Any]) -> None:  # noqa: ANN401 - SQLAlchemy's own
        if store.engine.dialect.name in {"mysql", "mariadb"}:
            named["read_timeout"] = named["write_timeout"] = _PATIENCE_S

    try:
        yield store
    finally:
        store.close()


@contextmanager
def snapshot(store: Store) -> Iterator[Connection]:
    """A connection that reads what was committed when this was called, whatever is committed later.

    No lock is taken: who writes waits for nothing. What they replace is kept by the store until the end of this.
    """
    with store.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("BEGIN"))
            # Only a first read settles what is seen.
            connection.execute(text("SELECT COUNT(*) FROM sqlite_master"))
        else:
            connection.execution_options(isolation_level="REPEATABLE READ")
            # The server gives up a result that is not fetched for a minute; a disk may be slower for once.
            connection.execute(text(f"SET SESSION net_write_timeout = {_PATIENCE_S}"))
            connection.commit()
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        try:
            yield connection
        finally:
            connection.rollback()


def rows_of(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """All rows of a table in the order of its key, some thousands at a time; never all of them in memory."""
    query = select(table).order_by(*table.primary_key.columns)
    streaming = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    with connection.execute(query, execution_options=streaming) as result:
        for part in result.partitions():
            yield [tuple(row) for row in part]


def count(connection: Connection, table: str) -> int:
    """How many rows a table has."""
    found = connection.execute(select(func.count()).select_from(text(_quoted(connection, table))))
    return int(found.scalar_one())


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)
