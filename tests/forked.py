"""Processes that begin at once: what they run was imported by the server that they are forked from."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(
    ["tests.faults.consumer_process", "tests.faults.relay_process", "cluster.local.stripe_sandbox.__main__"]
)


class ForkedProcess:
    """A function in a process of its own, which a test may kill and freeze.

    Args:
        run: a function of a module, and what it is called with.
        log_file: where its output goes.
    """

    def __init__(self, log_file: Path, run: Callable[..., None], *arguments: object) -> None:
        self.log_file = log_file
        log_file.touch()
        self._process = _forking.Process(target=_run, args=(log_file, run, arguments), daemon=True)
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

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self._process.terminate()
        self._process.join()

    def kill(self) -> None:
        """End it at once; where it is frozen too."""
        self._process.kill()
        self._process.join()


def _run(log_file: Path, run: Callable[..., None], arguments: tuple[object, ...]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    log = os.open(log_file, os.O_WRONLY | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    run(*arguments)
