"""An event loop whose time passes only while everybody waits, and then at once."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_RESOLUTION_S = 1e-9


class _AtOnce(selectors.DefaultSelector):
    """Where it would wait, it moves the clock on."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - the selector's own
        if timeout:
            # A little more, as a real wait is: a wait that ends early by a rounding would be begun again for ever.
            self.passed += timeout + _RESOLUTION_S
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its clock begins at nothing."""

    def __init__(self) -> None:
        self._at_once = _AtOnce()
        super().__init__(self._at_once)

    def time(self) -> float:
        return self._at_once.passed


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of some work, however long it waits."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
