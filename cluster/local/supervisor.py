"""Runs one stack in the foreground: starts it, restarts servers that fail, and stops everything at the end."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cluster.errors import CommandError
from cluster.local.ports import PortBlock, is_free, listener_of
from cluster.local.process import ChildProcess
from cluster.local.progress import Progress
from cluster.local.ready_message import ready_message
from cluster.local.server import Server
from cluster.local.stack import Stack, StackOptions, StoppedError
from cluster.local.stack_record import read_record, stack_lock, stop_leftovers

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A server that fails this often, each time less than two minutes after the last failure, is not started again.
_MAX_FAILURES = 5
_STABLE_AFTER_S = 120.0


class Supervisor:
    """One stack in the foreground.

    Args:
        options: what to start.
        progress: shows the steps.
    """

    def __init__(self, options: StackOptions, progress: Progress) -> None:
        self._options = options
        self._progress = progress
        self._stop = threading.Event()
        self._stack: Stack | None = None
        self._failures: dict[str, list[float]] = {}

    def run(self) -> None:
        """Start everything, wait for a signal, and stop everything.

        Raises:
            CommandError: a stack is running, the port is taken, or a process does not start or fails repeatedly.
            StoppedError: a signal came before the stack was ready.
        """
        os.umask(0o077)  # only the owner can read data, keys and logs
        with stack_lock(self._options.settings.data_dir), self._signals():
            self._stop_leftovers()
            self._check_port()
            ports = PortBlock()
            try:
                self._stack = stack = Stack(self._options, ports, self._progress, self._stop)
                try:
                    self._start(stack)
                    self._supervise(stack)
                finally:
                    stack.end()
            finally:
                ports.close()

    def _start(self, stack: Stack) -> None:
        try:
            stack.start()
        except CommandError as error:
            # A process that is stopped while it starts reports a failure.
            if self._stop.is_set():
                raise StoppedError from error
            raise
        self._print_ready(stack)

    def _supervise(self, stack: Stack) -> None:
        while not self._stop.wait(0.5):
            for server in stack.servers:
                if not server.process.is_running:
                    self._restart(stack, server)
            if not stack.ray.process.is_running and not self._stop.is_set():
                self._record_failure(stack.ray.process)
                self._restart_ray(stack)

    def _restart(self, stack: Stack, server: Server) -> None:
        self._record_failure(server.process)
        try:
            stack.start_server(server)
        except (CommandError, StoppedError) as error:
            self._warn(error)
            return
        if not server.keeps_address:
            self._progress.warn(f"{server.process.name} has a new address; restarting Ray")
            self._restart_ray(stack)

    def _restart_ray(self, stack: Stack) -> None:
        try:
            stack.restart_ray()
        except (CommandError, StoppedError) as error:
            self._warn(error)
            stack.ray.process.stop()

    def _warn(self, error: Exception) -> None:
        if not self._stop.is_set():
            self._progress.warn(str(error))

    def _record_failure(self, process: ChildProcess) -> None:
        """Report that a process has failed, and wait before the caller restarts it: longer after each failure.

        Raises:
            CommandError: it fails repeatedly.
        """
        now = time.monotonic()
        recent = self._failures.get(process.name, [])
        if recent and now - recent[-1] > _STABLE_AFTER_S:
            recent = []
        self._failures[process.name] = [*recent, now]
        if len(recent) >= _MAX_FAILURES:
            raise CommandError(
                f"{process.name} fails repeatedly ({process.last_log_line()})", f"read {process.log_file}"
            )
        pause = 2.0 ** len(recent) - 1
        self._progress.warn(f"{process.name} ended with code {process.exit_code}; restarting it in {pause:.0f} s")
        self._stop.wait(pause)

    def _print_ready(self, stack: Stack) -> None:
        record = stack.record
        self._progress.console.print(f"\nFIT Monitor is ready after {self._progress.seconds:.0f} s: {record.url}\n")
        # Not with the console: Rich would read the brackets of shell commands as markup.
        sys.stdout.write(ready_message(record) + "\n\n")
        sys.stdout.flush()

    def _stop_leftovers(self) -> None:
        """Stop the processes of an earlier stack whose supervisor was killed."""
        record = read_record(self._options.settings.data_dir)
        if record is not None:
            for name in stop_leftovers(record):
                self._progress.warn(f"{name} was left behind by an earlier stack and was stopped")

    def _check_port(self) -> None:
        chosen = self._options.settings
        if not is_free(chosen.port, chosen.host):
            raise CommandError(
                f"port {chosen.port} of {chosen.host} is taken{listener_of(chosen.port)}",
                f"choose another port: FITMONITOR_PORT={chosen.port + 1}",
            )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        # `nohup` ignores SIGHUP so that a program outlives its terminal.
        handled = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._on_signal) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set() and self._stack is not None:
            self._stack.kill()
        self._stop.set()
        if self._stack is not None:
            self._stack.cancel_waits()
