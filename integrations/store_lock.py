"""A lock that one process of all holds over a store. Work that must not be done twice at a time is done under it."""

import fcntl
from pathlib import Path
from typing import IO, Protocol

from sqlalchemy import Connection, Engine, text

# Names are the server's, not the database's. SHA-1 only makes any database's name fit: a lock's has 64 characters.
_ASK = text("SELECT GET_LOCK(CONCAT(:name, ' ', SHA1(DATABASE())), 0)")


class StoreLock(Protocol):
    """Asked for again and again by all who would do the work. For one thread."""

    def ask(self) -> Connection | None:
        """Take the lock if it is free.

        Returns:
            A connection that works only as long as the lock is held: what was read and what is changed on it, is
            read and changed by the holder. Each statement is a transaction. None while somebody else has the lock.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be had; release before asking again.
            OSError: nor can the lock's file.
        """

    def release(self) -> None:
        """Let go of the lock, or of what is left of one that was lost."""


def store_lock(engine: Engine, name: str) -> StoreLock:
    """The kind of lock that a database offers.

    Args:
        engine: of the store, with room for one connection.
        name: what the lock is for; a word.
    """
    return _FileLock(engine, name) if engine.dialect.name == "sqlite" else _ServerLock(engine, name)


class _ServerLock:
    """MySQL's and MariaDB's named lock. It ends with its connection, and a lost connection is never taken up again."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._connection: Connection | None = None

    def ask(self) -> Connection | None:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        is_ours = self._connection.execute(_ASK, {"name": self._name}).scalar_one() == 1
        return self._connection if is_ours else None

    def release(self) -> None:
        if self._connection is not None:
            _close_for_good(self._connection)
            self._connection = None


class _FileLock:
    """The operating system's lock on a file beside SQLite's. It ends with its process."""

    def __init__(self, engine: Engine, name: str) -> None:
        if engine.url.database in {None, "", ":memory:"}:
            raise ValueError("a database in memory has nobody to share a lock with")
        self._engine = engine
        self._path = Path(f"{engine.url.database}.{name}.lock")
        self._file: IO[bytes] | None = None
        self._connection: Connection | None = None

    def ask(self) -> Connection | None:
        if self._file is None:
            self._file = self._path.open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection

    def release(self) -> None:
        if self._connection is not None:
            _close_for_good(self._connection)
            self._connection = None
        if self._file is not None:
            self._file.close()
            self._file = None


def _close_for_good(connection: Connection) -> None:
    # Back in the pool it would live on, and the lock with it.
    connection.invalidate()
    connection.close()
