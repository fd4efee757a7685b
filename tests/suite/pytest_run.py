"""Runs pytest on servers that are started once."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import environ
from pathlib import Path
from typing import TextIO

import psutil

from tests.servers import SHARED, shared_servers

PROJECT = Path(__file__).parents[2]
# What `make test` runs, as a mark expression.
UNMARKED = "not check and not soak"
# More than the two cores that the times are meant for: some tests only wait.
_WORKERS = "3"
_WORKER = "exec(eval(sys.stdin.readline()))"  # how execnet starts one


def pytest(
    options: Sequence[str], environment: Mapping[str, str], folder: Path = PROJECT, output: TextIO | None = None
) -> int:
    """Run pytest with its temporary files beside the servers' folders, in memory where there is room.

    Args:
        options: of pytest; names of tests among them.
        environment: added to this process's own.
        folder: the root of the tree whose tests are run.
        output: where pytest's output goes; None: where that of this process goes.

    Returns:
        Its exit code; 1 for failed tests.
    """
    temporary = Path(environment[SHARED]) / "tests"
    command = [sys.executable, "-m", "pytest", f"--basetemp={temporary}", *options]
    # Processes that tests start would compile the project anew each time.
    own = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    running = subprocess.Popen(command, cwd=folder, env={**own, **environment}, stdout=output, stderr=output)
    try:
        return running.wait()
    except BaseException:
        _interrupt(psutil.Process(running.pid))
        running.wait()
        raise


def _interrupt(running: psutil.Process) -> None:
    """Interrupt pytest as Ctrl-C in a terminal does, so that fixtures stop what they started.

    Where it has workers, they alone are interrupted: pytest ends after them. Interrupted itself, it would kill them
    fifteen seconds later, and a stack takes longer to stop.
    """
    with suppress(psutil.NoSuchProcess):
        workers = [child for child in running.children() if _WORKER in " ".join(child.cmdline())]
        for process in workers or [running]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)


def in_parallel(selection: str) -> int:
    """Run the tests that a mark expression selects, several at a time."""
    with shared_servers() as environment:
        options = [
            "-n",
            _WORKERS,
            "--dist",
            "loadscope",
            "--no-loadscope-reorder",
            "-m",
            selection,
            "--durations",
            "20",
        ]
        return pytest(options, environment)
