"""Starts a stack of the full profile for one benchmark, with a larger MariaDB for the benchmark `large_past`."""

import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql
from rich.console import Console

from cluster.errors import CommandError
from cluster.local.ports import free_port
from cluster.local.stack_record import StackRecord, read_record, record_file
from integrations.settings import Profile, Settings

_UP_WITHIN_S = 600.0  # MariaDB and Kafka may have to be installed first
_DOWN_WITHIN_S = 120.0
_CONSUMER_BOUNDS = ("FITMONITOR_CONSUMERS__MIN", "FITMONITOR_CONSUMERS__MAX")
_CONSUMERS = "1"
_SOCKET = "mariadb.sock"
_SETTLED_WITHIN_S = 60.0
_LOG_BYTES = 2 * 1024**3


@contextmanager
def started_stack(console: Console, *, keep: bool) -> Iterator[None]:
    """Start a stack and stop it afterwards; this process's environment names it meanwhile.

    It has one consumer, unless the environment says otherwise (`FITMONITOR_CONSUMERS__MIN`, `__MAX`): one that starts
    during a measurement would change its conditions.

    Args:
        keep: keep its data, for inspection.

    Raises:
        CommandError: it does not start.
    """
    folder = _fresh_folder()
    environment = {
        **{name: os.environ.get(name) or _CONSUMERS for name in _CONSUMER_BOUNDS},
        "FITMONITOR_PROFILE": Profile.FULL.value,
        "FITMONITOR_DATA_DIR": str(folder),
        "FITMONITOR_PORT": os.environ.get("FITMONITOR_PORT") or str(free_port()),
    }
    os.environ.update(environment)
    log_file = folder / "bench-up.log"
    with log_file.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "cluster.cli.main", "up"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the benchmark alone, which stops the stack in order
        )
    try:
        with console.status("starting the full profile"):
            record = _wait(child, folder, log_file)
        console.print(f"started {record.url}")
        yield
    finally:
        with console.status("stopping the full profile"):
            _stop(child)
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)


def _fresh_folder() -> Path:
    """A folder without data: figures of a store that earlier benchmarks filled would not compare."""
    folder = Settings().data_dir / "bench"
    record = read_record(folder)
    if record is not None:
        if record.is_up:
            raise CommandError("another benchmark runs in this data folder", "wait for it, or set FITMONITOR_DATA_DIR")
        raise CommandError(
            f"a benchmark was killed and left {record_file(folder)}", f"FITMONITOR_DATA_DIR={folder} fitmonitor down"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _wait(child: subprocess.Popen[bytes], folder: Path, log_file: Path) -> StackRecord:
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            lines = log_file.read_text(errors="replace").strip().splitlines()
            raise CommandError(f"the stack did not start: {lines[-1] if lines else ''}", f"read {log_file}")
        record = read_record(folder)
        if record is not None and record.phase == "ready":
            return record
        time.sleep(0.2)
    raise CommandError(f"the stack was not ready after {_UP_WITHIN_S:.0f} s", f"read {log_file}")


def _stop(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(_DOWN_WITHIN_S)
    except subprocess.TimeoutExpired:
        child.kill()
        raise CommandError("the stack did not stop", "fitmonitor doctor, with FITMONITOR_DATA_DIR as above") from None


@contextmanager
def larger_buffer_pool(data_dir: Path, buffer_pool_bytes: int) -> Iterator[None]:
    """Give a stack's MariaDB another buffer pool and a longer redo log, and take them back afterwards.

    The stack's own is set up for a small machine, not for twenty million visits. Its database user may not change
    either. The user who installed the server may, through its socket (MariaDB's `unix_socket` authentication).

    Args:
        data_dir: of the stack.

    Raises:
        CommandError: the server refuses.
    """
    with closing(_connected(data_dir / "mariadb" / "files")) as link, link.cursor() as cursor:
        before = {name: _value(cursor, name) for name in ("innodb_buffer_pool_size", "innodb_log_file_size")}
        try:
            _enlarge(cursor, buffer_pool_bytes, max(_LOG_BYTES, before["innodb_log_file_size"]))
            yield
        finally:
            for name, value in before.items():
                cursor.execute(f"SET GLOBAL {name} = %s", (value,))


def _connected(files: Path) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    # By its descriptor: the path of a Unix socket must be shorter than 108 bytes.
    try:
        folder = os.open(files, os.O_PATH)
    except OSError as error:
        raise CommandError("the files of the stack's MariaDB are missing", str(error)) from error
    try:
        return pymysql.connect(unix_socket=f"/proc/self/fd/{folder}/{_SOCKET}", user=getpass.getuser())
    except pymysql.MySQLError as error:
        raise CommandError("the stack's MariaDB refuses its administrator", str(error)) from error
    finally:
        os.close(folder)


def _enlarge(cursor: pymysql.cursors.Cursor, size: int, log_bytes: int) -> None:
    try:
        cursor.execute("SET GLOBAL innodb_log_file_size = %s", (log_bytes,))
        cursor.execute("SET GLOBAL innodb_buffer_pool_size = %s", (size,))
    except pymysql.MySQLError as error:
        raise CommandError("the stack's MariaDB refuses the buffer pool", str(error)) from error
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while _value(cursor, "innodb_buffer_pool_size") < size:
        if time.monotonic() > deadline:
            raise CommandError("MariaDB's buffer pool did not grow", f"{size} bytes were requested")
        time.sleep(0.2)


def _value(cursor: pymysql.cursors.Cursor, name: str) -> int:
    cursor.execute("SHOW GLOBAL VARIABLES LIKE %s", (name,))
    found = cursor.fetchone()
    return int(found[1]) if found else 0
