"""What Ray Serve runs in a process: whatever it has opened is closed in the end."""

from collections.abc import Callable
from typing import Any, Self

import structlog

_log = structlog.get_logger(__name__)


class Closing:
    """What was opened, and how each is closed."""

    def __init__(self) -> None:
        self._opened: list[tuple[str, Callable[[], object]]] = []

    def add(self, name: str, close: Callable[[], object]) -> None:
        """Have something closed in the end.

        Args:
            name: of it, in the log.
            close: closes it; called once.
        """
        self._opened.append((name, close))

    def close(self) -> None:
        """Close everything, the latest first, whatever one of them raises. Idempotent."""
        while self._opened:
            name, close = self._opened.pop()
            try:
                close()
            except Exception:  # noqa: BLE001 - the others are to be closed too
                _log.exception("not_closed", part=name)


class Replica:
    """The base of every deployment: `closing` is there even where the constructor fails half-way."""

    closing: Closing

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:  # noqa: ANN401 - those of the constructor
        """Serve makes the object first, and calls its constructor afterwards."""
        made = super().__new__(cls)
        made.closing = Closing()
        return made

    def __del__(self) -> None:
        """Serve calls this when it stops a replica in order; Python does when a start has failed."""
        self.closing.close()
