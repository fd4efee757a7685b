"""Child processes that are known again by pid and start time, so that a reused pid is never signalled."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from cluster.errors import CommandError


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process of this boot. `created` is psutil's create time, seconds since the epoch."""

    pid: int
    created: float

    @classmethod
    def of(cls, process: psutil.Process) -> Self:
        """The identity of a living process."""
        return cls(process.pid, process.create_time())

    def find(self) -> psutil.Process | None:
        """The process, or None when it is gone or its pid now belongs to another."""
        try:
            process = psutil.Process(self.pid)
            # psutil derives the time from the boot time, which moves by up to a tick when the clock is set.
            same = abs(process.create_time() - self.created) < 1.0
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


class ChildProcess:
    """One server as a child process, with its output in a file.

    Args:
        name: what the person at the terminal calls it.
        command: program and arguments.
        log_file: where its output is appended.
        environment: its whole environment; the caller's when None.
        stop_timeout_s: how long a stop may take before it is a kill.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        stop_timeout_s: float = 30.0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log_file = log_file
        self.environment = environment
        self.stop_timeout_s = stop_timeout_s
        self._child: subprocess.Popen[bytes] | None = None

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
                start_new_session=True,
            )

    @property
    def identity(self) -> ProcessId:
        """Pid and start time of the running process."""
        if self._child is None:
            raise CommandError(f"{self.name} was not started")
        return ProcessId.of(psutil.Process(self._child.pid))

    @property
    def exit_code(self) -> int | None:
        """Its exit code once it has ended, else None."""
        return None if self._child is None else self._child.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def wait_until(
        self, ready: Callable[[], bool], timeout_s: float, cancelled: Callable[[], bool] | None = None
    ) -> None:
        """Wait until the process serves.

        Args:
            ready: asked every 50 ms.
            timeout_s: how long to wait.
            cancelled: true once nobody wants the answer any more.

        Raises:
            CommandError: when the process ended, or is not ready in time; names the log.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not self.is_running:
                raise CommandError(
                    f"{self.name} ended with code {self.exit_code}{self._last_words()}", f"read {self.log_file}"
                )
            if cancelled is not None and cancelled():
                raise CommandError(f"{self.name} was not waited for")
            if time.monotonic() > deadline:
                raise CommandError(f"{self.name} was not ready after {timeout_s:.0f} s", f"read {self.log_file}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to end, wait, and kill it when it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        os.kill(child.pid, how)
        try:
            child.wait(self.stop_timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _last_words(self) -> str:
        lines = self.log_file.read_text(errors="replace").strip().splitlines() if self.log_file.exists() else []
        return f" ({lines[-1].strip()[:200]})" if lines else ""
