"""The store of a stack that is down, reached by nobody else meanwhile."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from cluster.errors import CommandError
from cluster.local.leftovers import stop_leftovers
from cluster.local.ports import LOOPBACK
from cluster.local.process import ProcessId
from cluster.local.record import StackRecord, read_record, record_file, stack_lock
from integrations.settings import Profile, Settings


@contextmanager
def resting_store(settings: Settings) -> Iterator[str]:
    """The address of the store. A full stack's own MariaDB runs for so long, alone.

    In production the database is one that the settings name; that nobody uses it is for the caller to know.

    Raises:
        CommandError: the stack is up, or its database does not start.
    """
    url = settings.database.url.get_secret_value()
    if settings.profile is Profile.PRODUCTION:
        yield url
        return
    os.umask(0o077)  # as the stack itself: what it keeps is its owner's alone
    with stack_lock(settings.data_dir):
        record = read_record(settings.data_dir)
        if record is not None:
            stop_leftovers(record)  # of a stack that was killed
        if url:
            yield url
            return
        with _own_server(settings) as url:
            yield url


@contextmanager
def _own_server(settings: Settings) -> Iterator[str]:
    # Imported here: the embedded profile needs no client of MySQL.
    from cluster.local.bring import bring  # noqa: PLC0415
    from cluster.local.mariadb import MariaDbServer  # noqa: PLC0415

    if settings.profile is not Profile.FULL:
        raise CommandError("no database is named", "set FITMONITOR_DATABASE__URL")
    bring()
    if os.geteuid() == 0:
        # MariaDB, which root hands to a user of its own, must be able to pass to its folder.
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
    """Record the server as a stack's: whoever comes after a restore that was killed stops what it left."""
    StackRecord(
        profile=settings.profile,
        host=LOOPBACK,
        port=settings.port,
        data_dir=settings.data_dir,
        run_dir=settings.data_dir / "restore",  # never made: one server alone needs none
        boot=psutil.boot_time(),
        supervisor=ProcessId.of(os.getpid()),
        phase="restoring",
        processes={name: process},
    ).write()
