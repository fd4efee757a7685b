"""Opens a consumer's database. If the consumer freezes, the server ends its session and releases its locks."""

import time

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from domain.unit_of_work import Store
from integrations.settings import DatabaseSettings

_IDLE_SINCE = "idle_since"


def open_store(settings: DatabaseSettings, idle_session_timeout_s: int) -> Store:
    """Open a store for one thread.

    Args:
        settings: the database.
        idle_session_timeout_s: see `set_idle_session_timeout`.
    """
    store = Store(settings.url.get_secret_value(), pool_size=1, statement_timeout_s=settings.statement_timeout_s)
    set_idle_session_timeout(store.engine, idle_session_timeout_s)
    return store


def set_idle_session_timeout(engine: Engine, timeout_s: int) -> None:
    """Let the server end sessions that send no statement for this long.

    When a process is killed, its connections close and its locks are free at once. When it is suspended or cut off
    from the network, the server keeps its locks for `wait_timeout`, by default eight hours. The same timeout ends
    idle connections of the pool, so the pool replaces one that was idle for half of it.

    Args:
        engine: of MySQL or MariaDB. Others are left unchanged: locks of an SQLite file end with their process only.
        timeout_s: longer than any pause between two statements of a transaction, in seconds.
    """
    if engine.dialect.name not in {"mysql", "mariadb"}:
        return

    @event.listens_for(engine, "connect")
    def set_timeout(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION wait_timeout={timeout_s}")
        cursor.close()

    @event.listens_for(engine, "checkin")
    def remember_time(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def replace_idle(_connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        idle_since = record.info.pop(_IDLE_SINCE, None)
        if idle_since is not None and time.monotonic() - idle_since > timeout_s / 2:
            raise DisconnectionError("Connection was idle for too long")
