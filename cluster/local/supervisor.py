"""Keeps one stack up, in the foreground, from the command until its end is asked for."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psutil

from cluster.errors import CommandError
from cluster.local.leftovers import stop_leftovers
from cluster.local.ports import PortRow, is_free
from cluster.local.process import ChildProcess
from cluster.local.progress import Progress
from cluster.local.ready_message import announcement
from cluster.local.record import read_record, stack_lock
from cluster.local.servers import Server
from cluster.local.stack import Stack, StoppedError, Wish

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A part that fails this often without a quiet while between is not mended by another start.
_MOST_FAILURES = 5
_QUIET_S = 120.0


class Supervisor:
    """One stack in the foreground.

    Args:
        wish: what to start.
        progress: where to tell of it.
    """

    def __init__(self, wish: Wish, progress: Progress) -> None:
        self._wish = wish
        self._progress = progress
        self._stop = threading.Event()
        self._stack: Stack | None = None
        self._failures: dict[str, list[float]] = {}

    def run(self) -> None:
        """Start everything, stay until the end is asked for, stop everything.

        Raises:
            CommandError: a stack is up already, the port is taken, or a part does not start or keeps dying.
            StoppedError: the end was asked for before the stack was ready.
        """
        os.umask(0o077)  # the store, its keys and logs are their owner's alone
        with stack_lock(self._wish.settings.data_dir), self._signals():
            self._clear()
            self._check_port()
            ports = PortRow()
            try:
                self._stack = stack = Stack(self._wish, ports, self._progress, self._stop)
                try:
                    self._start(stack)
                    self._watch(stack)
                finally:
                    stack.end()
            finally:
                ports.close()

    def _start(self, stack: Stack) -> None:
        try:
            stack.start()
        except CommandError as error:
            # Parts that are stopped while they start report a failure.
            if self._stop.is_set():
                raise StoppedError from error
            raise
        self._announce(stack)

    def _watch(self, stack: Stack) -> None:
        while not self._stop.wait(0.5):
            for server in stack.servers:
                if not server.process.is_running:
                    self._revive(stack, server)
            if not stack.ray.process.is_running and not self._stop.is_set():
                self._failed(stack.ray.process)
                self._revive_ray(stack)

    def _revive(self, stack: Stack, server: Server) -> None:
        self._failed(server.process)
        try:
            stack.start_server(server)
        except (CommandError, StoppedError) as error:
            self._warn(error)
            return
        if not server.keeps_address:
            self._progress.warn(f"the {server.process.name} has a new address; Ray starts again to learn it")
            self._revive_ray(stack)

    def _revive_ray(self, stack: Stack) -> None:
        try:
            stack.restart_ray()
        except (CommandError, StoppedError) as error:
            self._warn(error)
            stack.ray.process.stop()

    def _warn(self, error: Exception) -> None:
        if not self._stop.is_set():
            self._progress.warn(str(error))

    def _failed(self, process: ChildProcess) -> None:
        """Say that a process has died, and wait longer each time before the caller starts it again."""
        now = time.monotonic()
        recent = self._failures.get(process.name, [])
        if recent and now - recent[-1] > _QUIET_S:
            recent = []
        self._failures[process.name] = [*recent, now]
        if len(recent) >= _MOST_FAILURES:
            raise CommandError(f"{process.name} keeps ending ({process.last_words()})", f"read {process.log_file}")
        pause = 2.0 ** len(recent) - 1
        self._progress.warn(f"{process.name} ended with code {process.exit_code}; starting it again in {pause:.0f} s")
        self._stop.wait(pause)

    def _announce(self, stack: Stack) -> None:
        record = stack.record
        self._progress.console.print(f"\nFIT Monitor is ready after {self._progress.seconds:.0f} s: {record.url}\n")
        # Not by the console: Rich would read the brackets of a shell line as its own.
        sys.stdout.write(announcement(record) + "\n\n")
        sys.stdout.flush()

    def _clear(self) -> None:
        """Stop what an earlier stack of this folder left behind when its supervisor was killed."""
        record = read_record(self._wish.settings.data_dir)
        if record is not None:
            for name in stop_leftovers(record):
                self._progress.warn(f"{name} was left behind by an earlier stack; stopped")

    def _check_port(self) -> None:
        chosen = self._wish.settings
        if not is_free(chosen.port, chosen.host):
            raise CommandError(
                f"port {chosen.port} of {chosen.host} is taken{_holder(chosen.port)}",
                f"choose another, as in FITMONITOR_PORT={chosen.port + 1}",
            )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        # `nohup` ignores SIGHUP so that a program outlives its terminal.
        heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._asked_to_end) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked_to_end(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set() and self._stack is not None:
            self._stack.kill()
        self._stop.set()
        if self._stack is not None:
            self._stack.give_up()


def _holder(port: int) -> str:
    """Who listens on the port, as far as one may know."""
    for link in psutil.net_connections("tcp"):
        if link.status == psutil.CONN_LISTEN and link.laddr and link.laddr.port == port and link.pid:
            return f" by {psutil.Process(link.pid).name()} (pid {link.pid})"
    return ""
