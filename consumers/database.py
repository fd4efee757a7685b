"""A consumer that freezes in the middle of a batch must not hold its gyms' locks for as long as it is frozen."""

import time

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

_RESTING_SINCE = "resting_since"


def give_up_locks_when_frozen(engine: Engine, after_s: int) -> None:
    """Have the server end a transaction whose client has been silent for so long.

    A process that is killed closes its connection and the locks are free at once. One that is suspended, or cut off
    from the network, keeps them for `wait_timeout`, which is eight hours unless it is set. The same limit ends
    connections that rest in the pool, so one that has rested for half of it is replaced before it is used.

    Args:
        engine: of MySQL or MariaDB; left alone when it is another, as locks of a file end with their process only.
        after_s: longer than any pause between two statements of a batch.
    """
    if engine.dialect.name not in {"mysql", "mariadb"}:
        return

    @event.listens_for(engine, "connect")
    def limit(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION wait_timeout={after_s}")
        cursor.close()

    @event.listens_for(engine, "checkin")
    def remember(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_RESTING_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def replace(_connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection) -> None:
        since = record.info.pop(_RESTING_SINCE, None)
        if since is not None and time.monotonic() - since > after_s / 2:
            raise DisconnectionError("rested for too long")
