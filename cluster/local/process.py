"""Child processes that are known again by pid and start time, so that a reused pid is never signalled."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from cluster.errors import CommandError

# psutil derives a create time from the boot time, which moves a little when the clock is set.
_SAME_START_S = 1.0


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process of this boot. `created` is psutil's create time, seconds since the epoch."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """The identity of a living process."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, or None when it is gone or its pid now belongs to another."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _SAME_START_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def session_members(leaders: Sequence[ProcessId]) -> Sequence[psutil.Process]:
    """Every living process that descends from one of the leaders, also when the leader itself has died.

    Each child of the stack leads a session of its own, and a session's members keep its number for life. The kernel
    does not give that number to a new process while a member lives.
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
        # A later session of the same number has a leader that is not ours, living or dead.
        foreign = psutil.pid_exists(leader.pid) and leader.find() is None
        return not foreign and process.create_time() > leader.created - _SAME_START_S
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False


def end_all(processes: Sequence[psutil.Process], patience_s: float) -> None:
    """Ask processes to end, wait, and kill those that do not."""
    for process in processes:
        _send(process, signal.SIGTERM)
    for process in wait_gone(processes, patience_s):
        _send(process, signal.SIGKILL)
    wait_gone(processes, 10)


def wait_gone(processes: Sequence[psutil.Process], patience_s: float) -> Sequence[psutil.Process]:
    """Wait until processes have ended; return those that have not.

    A zombie has ended. Its parent may never ask for its exit code, as the first process of many containers does not.
    """
    deadline = time.monotonic() + patience_s
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


def _send(process: psutil.Process, what: signal.Signals) -> None:
    try:
        process.send_signal(what)
    except psutil.NoSuchProcess:
        return


class ChildProcess:
    """One server as a child process, with its output in a file.

    Args:
        name: what the person at the terminal calls it.
        command: program and arguments; may be set until the start.
        log_file: where its output is appended.
        environment: its whole environment; the caller's when None.
        folder: its working folder; the caller's when None.
        patience_s: how long a stop may take before it is a kill.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        patience_s: float = 30.0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log_file = log_file
        self.environment = environment
        self.folder = folder
        self.patience_s = patience_s
        self.given_up = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._identity: ProcessId | None = None

    def start(self) -> None:
        """Start the process; its readiness is the caller's to wait for."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal reaches the supervisor alone, which stops all in order.
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
        """Pid and start time of the process that was started last."""
        if self._identity is None:
            raise CommandError(f"{self.name} was not started")
        return self._identity

    @property
    def was_started(self) -> bool:
        """Whether it was ever started."""
        return self._identity is not None

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it has ended, else None."""
        return None if self._child is None else self._child.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the process serves.

        Args:
            ready: asked every 50 ms.
            timeout_s: how long to wait.

        Raises:
            CommandError: when the process ended, was given up, or is not ready in time; names the log.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.given_up.is_set():
                raise CommandError(f"{self.name} was given up")
            if not self.is_running:
                raise CommandError(f"{self.name} ended: {self.last_words() or self.exit_code}", f"read {self.log_file}")
            if time.monotonic() > deadline:
                raise CommandError(f"{self.name} was not ready after {timeout_s:.0f} s", f"read {self.log_file}")
            time.sleep(0.05)

    def wait_done(self, timeout_s: float) -> None:
        """Wait until a process that has an end has come to it, successfully.

        Raises:
            CommandError: when it failed, with its last line; was given up; or takes too long.
        """
        self.wait_until(lambda: self.exit_code == 0, timeout_s)

    def stop(self) -> None:
        """Ask it to end, wait, and kill it when it does not; what it leaves behind is killed."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log_file.read_text(errors="replace").strip().splitlines() if self.log_file.exists() else []
        return lines[-1].strip()[:300] if lines else ""

    def _end(self, how: signal.Signals) -> None:
        child = self._child
        if child is None:
            return
        if child.poll() is None:
            os.kill(child.pid, how)
            try:
                child.wait(self.patience_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        # What it started and left behind, also when it had died by itself.
        end_all(session_members([self.identity]), patience_s=5.0)
