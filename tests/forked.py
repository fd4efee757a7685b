"""Processes that begin at once: what they run was imported by the server that they are forked from."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from cluster.cli.main import COMMANDS

# One server for a worker, whatever its tests start.
_IMPORTED = [
    "cluster.local.stripe_sandbox.__main__",
    "tests.faults.consumer_process",
    "tests.faults.relay_process",
    *sorted({entry.where.partition(":")[0] for entry in COMMANDS}),
]
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(_IMPORTED)


class ForkedProcess:
    """A function in a process and a session of its own, which a test may kill and freeze.

    It has the environment and the folder of the test, and takes signals as a new process does.

    Args:
        streams: files that become its standard input, output and error; a terminal may be all three.
        run: a function of a module, and what it is called with.
    """

    def __init__(self, streams: Sequence[Path], run: Callable[..., None], *arguments: object) -> None:
        told = (list(streams), dict(os.environ), Path.cwd(), run, arguments)
        self._process = _forking.Process(target=_run, args=told, daemon=True)
        self._process.start()

    @property
    def process(self) -> psutil.Process:
        """The living process."""
        return psutil.Process(self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """As `subprocess` has it: the negative number of the signal that killed it; None while it runs."""
        return self._process.exitcode

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def wait(self, timeout_s: float) -> int:
        """Wait for its end.

        Returns:
            Its exit code.
        """
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"still running after {timeout_s} s"
        return self._process.exitcode

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        self._process.join()

    def kill(self) -> None:
        """End it at once; where it is frozen too."""
        self._process.kill()
        self._process.join()


class LoggedProcess(ForkedProcess):
    """A forked process whose output goes into a file."""

    def __init__(self, log_file: Path, run: Callable[..., None], *arguments: object) -> None:
        self.log_file = log_file
        log_file.touch()
        super().__init__([Path(os.devnull), log_file, log_file], run, *arguments)


def _run(
    streams: Sequence[Path],
    environment: dict[str, str],
    folder: Path,
    run: Callable[..., None],
    arguments: tuple[object, ...],
) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, (stream, mode) in enumerate(zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        # The first terminal that a session's leader opens becomes its own.
        opened = os.open(stream, mode | (os.O_APPEND if number else 0))
        os.dup2(opened, number)
        os.close(opened)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        file = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115 - no path
        setattr(sys, name, file)
        setattr(sys, f"__{name}__", file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    run(*arguments)
