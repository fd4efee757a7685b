"""What the person at the terminal sees while the stack starts, runs and stops."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Prints one line a step with its seconds; on a terminal also what is under way.

    Args:
        console: where to; Rich writes plain lines where it is not a terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._began = time.monotonic()
        self._running: list[str] = []
        self._lock = threading.Lock()
        self._status = self.console.status("") if self.console.is_terminal else None

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step as under way, then its time. Steps may overlap, from several threads."""
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
        """Print a line with the time since the beginning."""
        self.console.print(f"[dim]{self.seconds:6.1f} s[/dim]  {line}")

    def warn(self, line: str) -> None:
        """Print a line that wants attention."""
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
