"""Shows on the terminal how the stack starts, runs and stops."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Prints one line per step with its duration; on a terminal also the current steps.

    Args:
        console: where to print; Rich writes plain lines if it is not a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._running: list[str] = []
        self._lock = threading.Lock()
        self._status = self.console.status("") if self.console.is_terminal else None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step as current, then print its duration. Steps of several threads may overlap."""
        start = time.monotonic()
        self._show(add=name)
        try:
            yield
        except BaseException:
            self._show(remove=name)
            raise
        self._show(remove=name)
        self.say(f"{name} [dim]{time.monotonic() - start:.1f} s[/dim]")

    def say(self, line: str) -> None:
        """Print a line with the time since the start."""
        self.console.print(f"[dim]{self.seconds:6.1f} s[/dim]  {line}")

    def warn(self, line: str) -> None:
        """Print a warning."""
        self.console.print(f"[dim]{self.seconds:6.1f} s[/dim]  [bold yellow]{line}[/bold yellow]")

    def _show(self, add: str | None = None, remove: str | None = None) -> None:
        with self._lock:
            if add:
                self._running.append(add)
            if remove:
                self._running.remove(remove)
            if self._status is None:
                return
            if self._running:
                self._status.update(" · ".join(self._running))
                self._status.start()
            else:
                self._status.stop()
