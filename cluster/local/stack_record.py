"""The record `stack.json` of a data folder's stack, its lock, and how to stop the processes that the record names."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from cluster.local.process import ProcessId, session_members, terminate_all

ALL_INTERFACES = {"0.0.0.0", "::", ""}  # noqa: S104 - for comparison
_SAME_BOOT_S = 60
_DATABASE_STOP_TIMEOUT_S = 30.0  # it writes its pages to disk
_RAY_STOP_TIMEOUT_S = 5.0


@dataclass
class StackRecord:
    """A stack as its supervisor has recorded it. The file holds passwords, so its mode is 0600."""

    profile: str
    host: str
    port: int
    data_dir: Path
    run_dir: Path
    boot: float
    supervisor: ProcessId
    phase: str = "starting"
    processes: dict[str, ProcessId] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address of the stack on this machine."""
        return f"http://{LOOPBACK if self.host in ALL_INTERFACES else self.host}:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether the supervisor runs."""
        return self.supervisor.find() is not None

    def members(self) -> Sequence[psutil.Process]:
        """Find all running processes of the stack except the supervisor."""
        # Pids of an earlier boot mean nothing. The computed boot time moves when the clock is set.
        if abs(psutil.boot_time() - self.boot) > _SAME_BOOT_S:
            return []
        return session_members(list(self.processes.values()))

    def write(self) -> None:
        """Write `stack.json`."""
        file = record_file(self.data_dir)
        draft = file.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(_plain(self), out, indent=1)
        draft.replace(file)


def record_file(data_dir: Path) -> Path:
    """Return the path of `stack.json`."""
    return data_dir / "stack.json"


def read_record(data_dir: Path) -> StackRecord | None:
    """Read the record of a data folder; None if its last stack was stopped completely.

    Raises:
        CommandError: the file is not a record.
    """
    try:
        found: dict[str, Any] = json.loads(record_file(data_dir).read_text(encoding="utf-8"))
        return StackRecord(
            **{
                **found,
                "data_dir": Path(found["data_dir"]),
                "run_dir": Path(found["run_dir"]),
                "supervisor": ProcessId(**found["supervisor"]),
                "processes": {name: ProcessId(**process) for name, process in found["processes"].items()},
            }
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        file = record_file(data_dir)
        raise CommandError(f"{file} is not a record of a stack", f"stop its processes, then remove {file}") from error


@contextmanager
def stack_lock(data_dir: Path) -> Iterator[None]:
    """Lock the data folder for one stack.

    Raises:
        CommandError: a stack is running in it.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            record = read_record(data_dir)
            where = f": {record.url} (pid {record.supervisor.pid}, {record.phase})" if record else ""
            raise CommandError(f"a stack is already up in {data_dir}{where}", "fitmonitor down stops it") from error
        yield


def stop_leftovers(record: StackRecord) -> Sequence[str]:
    """Stop all processes of a stack except its supervisor, keep its logs, and delete its run folder and record.

    Returns:
        The names of the servers that were still running.
    """
    running = {process.pid for process in record.members()}
    stopped = []
    for name, leader in reversed(record.processes.items()):
        members = [process for process in session_members([leader]) if process.pid in running]
        if members:
            stopped.append(name)
            # Only Ray has more than one process. Its workers end by themselves after its own processes.
            terminate_all(members, _DATABASE_STOP_TIMEOUT_S if len(members) == 1 else _RAY_STOP_TIMEOUT_S)
    _keep_logs(record)
    shutil.rmtree(record.run_dir, ignore_errors=True)
    record_file(record.data_dir).unlink(missing_ok=True)
    return stopped


def _keep_logs(record: StackRecord) -> None:
    """Move the logs of Ray and Serve to the data folder."""
    logs = (record.run_dir / "ray" / "session_latest" / "logs").resolve()
    if logs.is_dir():
        kept = record.data_dir / "logs" / "ray-session"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(logs, kept)


def _plain(record: StackRecord) -> Mapping[str, Any]:
    return {
        **vars(record),
        "data_dir": str(record.data_dir),
        "run_dir": str(record.run_dir),
        "supervisor": _plain_process(record.supervisor),
        "processes": {name: _plain_process(process) for name, process in record.processes.items()},
    }


def _plain_process(process: ProcessId) -> Mapping[str, Any]:
    return {"pid": process.pid, "created": process.created}
