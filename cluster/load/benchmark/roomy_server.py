"""A larger MariaDB for a while: the stack's own is set up for a small machine, not for twenty million visits."""

import getpass
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql

from cluster.errors import CommandError

_SOCKET = "mariadb.sock"
_SETTLED_WITHIN_S = 60.0
_LOG_BYTES = 2 * 1024**3


@contextmanager
def roomy_server(data_dir: Path, buffer_pool_bytes: int) -> Iterator[None]:
    """The server of a stack has such a buffer pool, and a longer redo log, meanwhile.

    The stack's own user may not change either. The one who installed the server may, through its socket
    (MariaDB's `unix_socket` authentication).

    Args:
        data_dir: of the stack.

    Raises:
        CommandError: the server does not let itself be changed.
    """
    with _as_installer(data_dir / "mariadb" / "files") as cursor:
        before = {name: _value(cursor, name) for name in ("innodb_buffer_pool_size", "innodb_log_file_size")}
        try:
            _enlarge(cursor, buffer_pool_bytes, max(_LOG_BYTES, before["innodb_log_file_size"]))
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))


@contextmanager
def _as_installer(files: Path) -> Iterator[pymysql.cursors.Cursor]:
    with closing(_connected(files)) as link, link.cursor() as cursor:
        yield cursor


def _connected(files: Path) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    # By its descriptor: the path of a Unix socket must be shorter than 108 bytes.
    try:
        folder = os.open(files, os.O_PATH)
    except OSError as error:
        raise CommandError("the files of the stack's MariaDB are not there", str(error)) from error
    try:
        return pymysql.connect(unix_socket=f"/proc/self/fd/{folder}/{_SOCKET}", user=getpass.getuser())
    except pymysql.MySQLError as error:
        raise CommandError("the stack's MariaDB lets nobody set it up", str(error)) from error
    finally:
        os.close(folder)


def _enlarge(cursor: pymysql.cursors.Cursor, size: int, log_bytes: int) -> None:
    try:
        cursor.execute("SET GLOBAL innodb_log_file_size = %s", (log_bytes,))
        cursor.execute("SET GLOBAL innodb_buffer_pool_size = %s", (size,))
    except pymysql.MySQLError as error:
        raise CommandError("the stack's MariaDB cannot be set up for much", str(error)) from error
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while _value(cursor, "innodb_buffer_pool_size") < size:
        if time.monotonic() > deadline:
            raise CommandError("MariaDB's buffer pool did not grow", f"{size} bytes were wished")
        time.sleep(0.2)


def _value(cursor: pymysql.cursors.Cursor, name: str) -> int:
    cursor.execute("SHOW GLOBAL VARIABLES LIKE %s", (name,))
    found = cursor.fetchone()
    return int(found[1]) if found else 0
