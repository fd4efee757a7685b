"""One request, or one batch of messages, is one transaction: opened and committed here, nowhere else."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

RETRYABLE = {1062, 1205, 1213}  # duplicate key, lock wait timeout, deadlock: another transaction was first
# No connection, a lost or refused connection, a server that stops, interrupts, or has no space: retry later.
UNAVAILABLE = {
    *(1021, 1037, 1040, 1041, 1045, 1053, 1077, 1079, 1114, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1206, 1226),
    *(1290, 1317, 1836, 1969, 2002, 2003, 2006, 2013, 2055, 3024),
}
_ATTEMPTS = 3
# Errors of MariaDB and MySQL whose messages have names of tables, columns, users and hosts, but no values.
_NAMES_ONLY = {
    1044,
    1048,
    1049,
    1050,
    1051,
    1054,
    1060,
    1061,
    1091,
    1142,
    1143,
    1146,
    1264,
    1265,
    1364,
    1406,
    1451,
    1452,
}
_OF_THE_CLIENT = range(2000, 3000)
# Errors whose messages end with such a name, after a value.
_NAME_LAST = {1062, 1292, 1366}
_KEY_OR_COLUMN = re.compile(r" for (?:key|column) \S+(?: at row \d+)?$")
T = TypeVar("T")
_SQLITE_UNAVAILABLE = ("locked", "busy", "disk is full", "disk I/O error", "unable to open", "readonly database")


class Store:
    """A database and its units of work. Safe to share between threads, not between processes."""

    def __init__(self, url: str, *, pool_size: int = 8, statement_timeout_s: float = 5.0) -> None:
        self.engine = _engine(url, pool_size, statement_timeout_s)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A unit of work: commits at its end, rolls back on any exception."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.execute(text("BEGIN IMMEDIATE"))
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for reading. Writes are rolled back."""
        with self.engine.connect() as connection:
            yield connection

    def written(self, use_case: Callable[[Connection], T]) -> T:
        """Run a use case in its own unit of work; again if another transaction was first."""
        for attempt in range(_ATTEMPTS):
            try:
                with self.writing() as connection:
                    return use_case(connection)
            except DBAPIError as error:
                if not should_retry(error) or attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def ping(self) -> None:
        """Return once the database has answered."""
        with self.reading() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def should_retry(error: DBAPIError) -> bool:
    """Whether a unit of work lost a race and should be run again (MySQL errors 1062, 1205, 1213)."""
    return _number(error) in RETRYABLE or (
        error.orig.__class__.__module__ == "sqlite3" and "UNIQUE constraint failed" in str(error.orig)
    )


def is_locked(error: DBAPIError) -> bool:
    """Whether a statement with `NOWAIT` met a lock (MariaDB 1205, MySQL 3572)."""
    return _number(error) in {1205, 3572}


def is_unavailable(error: DBAPIError) -> bool:
    """Whether the database is unavailable, as opposed to having refused a statement."""
    if error.connection_invalidated or _number(error) in UNAVAILABLE:
        return True
    return isinstance(error, OperationalError) and any(word in str(error.orig) for word in _SQLITE_UNAVAILABLE)


def _number(error: DBAPIError) -> int | None:
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _engine(url: str, pool_size: int, statement_timeout_s: float) -> Engine:
    sqlite = make_url(url).get_backend_name() == "sqlite"
    engine = _sqlite_engine(url, pool_size) if sqlite else _server_engine(url, pool_size, statement_timeout_s)
    event.listen(engine, "handle_error", _without_values)
    return engine


def _without_values(context: ExceptionContext) -> None:
    """Remove values from an error, so that logs have no personal data.

    MariaDB and MySQL quote values (`Duplicate entry 'mia@example.org' for key …`) and parts of statements. SQLite only
    names columns.
    """
    original, error = context.original_exception, context.sqlalchemy_exception
    if not isinstance(original, Exception) or original.__class__.__module__.partition(".")[0] != "pymysql":
        return
    if len(original.args) < 2 or not isinstance(original.args[1], str):  # noqa: PLR2004 - a number and a message
        return
    number, message, *others = original.args
    if number in _NAMES_ONLY or number in UNAVAILABLE or number in _OF_THE_CLIENT:
        return
    named = _KEY_OR_COLUMN.search(message) if number in _NAME_LAST else None
    shown = re.split("['\"]", message, maxsplit=1)[0].rstrip() + ("…" + named[0] if named else "")
    original.args = (number, shown, *others)
    if error is not None:
        kind = type(original)
        error.args = (f"({kind.__module__}.{kind.__qualname__}) {original}", *error.args[1:])


def _server_engine(url: str, pool_size: int, statement_timeout_s: float) -> Engine:
    lock_wait = max(1, round(statement_timeout_s))
    return create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=1800,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": 3,
            "read_timeout": 15,
            "write_timeout": 15,
            "init_command": f"SET SESSION innodb_lock_wait_timeout={lock_wait}, time_zone='+00:00'",
        },
    )


def _sqlite_engine(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"timeout": 5, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver's own BEGIN is deferred: two writers that read first would both fail.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
