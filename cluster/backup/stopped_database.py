"""The database of a stopped stack, locked so that nobody else uses it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from cluster.local.process import ProcessId
from cluster.local.stack_record import StackRecord, read_record, record_file, stack_lock, stop_leftovers
from integrations.settings import Profile, Settings


@contextmanager
def stopped_database(settings: Settings) -> Iterator[str]:
    """The URL of the database. Of a full stack, its own MariaDB runs meanwhile, and nothing else.

    In production the database is that of the settings; the caller must make sure that nobody uses it.

    Raises:
        CommandError: the stack is running, or its database does not start.
    """
    url = settings.database.url.get_secret_value()
    if settings.profile is Profile.PRODUCTION:
        yield url
        return
    os.umask(0o077)  # as the stack itself: its files are readable by their owner only
    with stack_lock(settings.data_dir):
        record = read_record(settings.data_dir)
        if record is not None:
            stop_leftovers(record)  # of a killed stack
        if url:
            yield url
            return
        with _mariadb(settings) as url:
            yield url


@contextmanager
def _mariadb(settings: Settings) -> Iterator[str]:
    # Imported here: the embedded profile needs no client of MySQL.
    from cluster.local.install import install_servers  # noqa: PLC0415
    from cluster.local.mariadb import MariaDbServer  # noqa: PLC0415

    if settings.profile is not Profile.FULL:
        raise CommandError("no database is configured", "set FITMONITOR_DATABASE__URL")
    install_servers()
    if os.geteuid() == 0:
        # Started by root, MariaDB runs as another user, who must be able to enter the folder.
        settings.data_dir.chmod(settings.data_dir.stat().st_mode | 0o011)
    server = MariaDbServer(settings.data_dir / "mariadb")
    try:
        server.launch()
        _record(settings, server.process.name, server.process.identity)
        server.wait()
        yield server.url
    finally:
        server.stop()
        record_file(settings.data_dir).unlink(missing_ok=True)


def _record(settings: Settings, name: str, process: ProcessId) -> None:
    """Record the server as that of a stack: after a restore that was killed, the next command stops it."""
    StackRecord(
        profile=settings.profile,
        host=LOOPBACK,
        port=settings.port,
        data_dir=settings.data_dir,
        run_dir=settings.data_dir / "restore",  # never created: one server needs none
        boot=psutil.boot_time(),
        supervisor=ProcessId.of(os.getpid()),
        phase="restoring",
        processes={name: process},
    ).write()
