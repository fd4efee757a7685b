"""A stack of the full profile for the length of one bench, in a folder of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from cluster.errors import CommandError
from cluster.local.ports import free_port
from cluster.local.record import StackRecord, read_record, record_file
from integrations.settings import Profile, Settings

_UP_WITHIN_S = 600.0  # MariaDB and Kafka may have to be brought first
_DOWN_WITHIN_S = 120.0
_CONSUMER_BOUNDS = ("FITMONITOR_CONSUMERS__MIN", "FITMONITOR_CONSUMERS__MAX")
_CONSUMERS = "1"


@contextmanager
def started_stack(console: Console, *, keep: bool) -> Iterator[None]:
    """Start the stack and stop it again; meanwhile this process's environment names it.

    It has one consumer, unless the environment says otherwise (`FITMONITOR_CONSUMERS__MIN`, `__MAX`): one that comes
    in the midst of a measurement would make two of it.

    Args:
        keep: leave what it stored, for whoever doubts the figures.

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
    with (
        console.status("starting the full profile"),
        log_file.open("wb") as log,
    ):
        child = subprocess.Popen(
            [sys.executable, "-m", "cluster.cli.main", "up"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the bench alone, which stops the stack in order
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
    """Emptied: figures of a store that earlier benches have filled would not compare."""
    folder = Settings().data_dir / "bench"
    record = read_record(folder)
    if record is not None:
        if record.is_up:
            raise CommandError("another bench runs in this data folder", "wait for it, or set FITMONITOR_DATA_DIR")
        raise CommandError(
            f"a bench was killed and left {record_file(folder)}", f"FITMONITOR_DATA_DIR={folder} fitmonitor down"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _wait(child: subprocess.Popen[bytes], folder: Path, log_file: Path) -> StackRecord:
    deadline = time.monotonic() + _UP_WITHIN_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            words = log_file.read_text(errors="replace").strip().splitlines()
            raise CommandError(f"the stack did not start: {words[-1] if words else ''}", f"read {log_file}")
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
