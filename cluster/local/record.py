"""What is known of the stack of a data folder: its lock and `stack.json`."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from cluster.local.process import ProcessId, session_members

EVERY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - compared with, not listened on


@dataclass
class StackRecord:
    """One stack, as its supervisor wrote it. The file holds passwords: mode 0600."""

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
        """Where the stack answers on this machine."""
        return f"http://{LOOPBACK if self.host in EVERY_ADDRESS else self.host}:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether its supervisor lives."""
        return self.supervisor.find() is not None

    def members(self) -> Sequence[psutil.Process]:
        """Every living process of the stack but the supervisor."""
        # Pids and create times of an earlier boot mean nothing in this one.
        if abs(psutil.boot_time() - self.boot) > 60:  # noqa: PLR2004 - the clock may have been set since
            return []
        return session_members(list(self.processes.values()))

    def write(self) -> None:
        """Replace `stack.json`."""
        file = record_file(self.data_dir)
        draft = file.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(_plain(self), out, indent=1)
        draft.replace(file)


def record_file(data_dir: Path) -> Path:
    """Where a stack is recorded."""
    return data_dir / "stack.json"


def read_record(data_dir: Path) -> StackRecord | None:
    """The stack that was last started in the folder and not yet stopped in order; None when there is none."""
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
        raise CommandError(f"{file} is not a record of a stack", f"stop what runs, then remove {file}") from error


@contextmanager
def stack_lock(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for one stack.

    Raises:
        CommandError: a stack is up in it already.
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
