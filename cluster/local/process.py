"""Child processes, identified by pid and start time so that a reused pid is never signalled."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from cluster.errors import CommandError

# psutil computes the create time from the boot time, which moves a little when the clock is set.
_SAME_START_S = 1.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process since the last boot. `created` is psutil's create time, in seconds since the epoch."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Identify a running process."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Find the process; None if it has ended, even if another process has its pid now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def session_members(leaders: Sequence[ProcessId]) -> Sequence[psutil.Process]:
    """Find all running processes in the sessions of these leaders, even if a leader has ended.

    Each child of the stack leads its own session. A process stays in its session for life, and the kernel does not
    reuse the session's number while a member runs.
    """
    started = {leader.pid: leader for leader in leaders}
    return [process for process in psutil.process_iter() if _belongs(process, started)]


def _belongs(process: psutil.Process, leaders: Mapping[int, ProcessId]) -> bool:
    try:
        leader = leaders.get(os.getsid(process.pid))
        if leader is None or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.pid == leader.pid:
            return leader.find() is not None
        # A later session with the same number has another leader, and its members are younger.
        reused = psutil.pid_exists(leader.pid) and leader.find() is None
        return not reused and process.create_time() > leader.created - _SAME_START_S
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


def terminate_all(processes: Sequence[psutil.Process], timeout_s: float) -> None:
    """Send SIGTERM, wait, and kill the processes that are left."""
    for process in processes:
        _send(process, signal.SIGTERM)
    for process in wait_gone(processes, timeout_s):
        _send(process, signal.SIGKILL)
    wait_gone(processes, 10)


def wait_gone(processes: Sequence[psutil.Process], timeout_s: float) -> Sequence[psutil.Process]:
    """Wait until processes have ended, and return those that have not.

    A zombie counts as ended (unlike in `psutil.wait_procs`): its parent may never read its exit code, as the first
    process of many containers does not.
    """
    deadline = time.monotonic() + timeout_s
    while alive := [process for process in processes if _is_alive(process)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


class ChildProcess:
    """A child process whose output goes to a file.

    Args:
        name: as it is shown to people.
        command: program and arguments; may be changed before a start.
        log_file: the output is appended to it.
        environment: all environment variables (default: those of this process).
        folder: working folder (default: that of this process).
        stop_timeout_s: how long it may take to stop before it is killed.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stop_timeout_s: float = 30.0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log_file = log_file
        self.environment = environment
        self.folder = folder
        self.stop_timeout_s = stop_timeout_s
        self.wait_cancelled = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._identity: ProcessId | None = None

    @classmethod
    def of_module(
        cls, name: str, module: str, arguments: Sequence[object], log_file: Path, folder: Path | None = None
    ) -> Self:
        """Create the process `python -m module`, which stops within 5 s.

        Args:
            name: as it is shown to people.
            module: one of this package, or of a library.
            arguments: of the module; are converted to text.
            log_file: the output is appended to it.
            folder: working folder (default: that of the log file).
        """
        command = [sys.executable, "-m", module, *map(str, arguments)]
        return cls(name, command, log_file, folder=folder or log_file.parent, stop_timeout_s=5)

    def start(self) -> None:
        """Start the process and return at once."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            # In its own session, Ctrl-C at the terminal reaches only the supervisor, which stops everything in order.
            self._child = subprocess.Popen(  # noqa: S603 - the command is composed by this package
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
            )
        self._identity = ProcessId.of(self._child.pid)

    @property
    def identity(self) -> ProcessId:
        """The process that was started last."""
        if self._identity is None:
            raise CommandError(f"{self.name} was not started")
        return self._identity

    @property
    def was_started(self) -> bool:
        """Whether the process was ever started."""
        return self._identity is not None

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while the process runs."""
        return None if self._child is None else self._child.poll()

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the process is ready.

        Args:
            ready: is called every 50 ms.
            timeout_s: maximum time to wait.

        Raises:
            CommandError: the process has ended, is not ready in time, or `wait_cancelled` is set.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.wait_cancelled.is_set():
                raise CommandError(f"{self.name}: the start was cancelled")
            if not self.is_running:
                raise CommandError(
                    f"{self.name} ended: {self.last_log_line() or self.exit_code}", f"read {self.log_file}"
                )
            if time.monotonic() > deadline:
                raise CommandError(f"{self.name} was not ready after {timeout_s:.0f} s", f"read {self.log_file}")
            time.sleep(0.05)

    def wait_finished(self, timeout_s: float) -> None:
        """Wait until the process has ended successfully.

        Raises:
            CommandError: the process has failed, takes too long, or `wait_cancelled` is set.
        """
        self.wait_until(lambda: self.exit_code == 0, timeout_s)

    def stop(self) -> None:
        """Stop the process and everything that it has started; kill what does not stop."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process, as a power cut would."""
        self._end(signal.SIGKILL)

    def last_log_line(self) -> str:
        """Return the last line of the log file."""
        lines = self.log_file.read_text(errors="replace").strip().splitlines() if self.log_file.exists() else []
        return lines[-1].strip()[:300] if lines else ""

    def _end(self, number: signal.Signals) -> None:
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            os.kill(child.pid, number)
            try:
                child.wait(self.stop_timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        terminate_all(session_members([self.identity]), timeout_s=5.0)  # processes that it has left behind
