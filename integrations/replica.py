"""Base of all Serve deployments: closes on shutdown whatever the replica opened."""

from collections.abc import Callable
from typing import Any, Self

import structlog

_log = structlog.get_logger(__name__)


class OpenResources:
    """Opened resources and how to close each."""

    def __init__(self) -> None:
        self._opened: list[tuple[str, Callable[[], object]]] = []

    def add(self, name: str, close: Callable[[], object]) -> None:
        """Register a resource.

        Args:
            name: for the log.
            close: called once.
        """
        self._opened.append((name, close))

    def close(self) -> None:
        """Close all resources, latest first, even if one raises. Idempotent."""
        while self._opened:
            name, close = self._opened.pop()
            try:
                close()
            except Exception:  # noqa: BLE001 - the other resources must be closed too
                _log.exception("resource_not_closed", resource=name)


class Replica:
    """Base of every deployment. `resources` exists even if the constructor fails half-way."""

    resources: OpenResources

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:  # noqa: ANN401 - arguments of the constructor
        """Serve creates the object first and calls its constructor later."""
        replica = super().__new__(cls)
        replica.resources = OpenResources()
        return replica

    def __del__(self) -> None:
        """Called by Serve on a clean stop, and by Python after a failed start."""
        self.resources.close()
