"""When waiting ends: one timer for all who wait, because nearly all are answered long before theirs would ring."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Ends waits at their deadlines; for one event loop.

    Args:
        problem: what a wait that is over ends with.
    """

    def __init__(self, problem: Callable[[], Exception]) -> None:
        self._problem = problem
        self._waits: list[tuple[float, int, asyncio.Future[T]]] = []  # a heap: not all came in the order of their ends
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = float("inf")

    def watch(self, until: float, wait: asyncio.Future[T]) -> None:
        """End a wait with the problem if it is not over by then.

        Args:
            until: by the event loop's clock.
        """
        heappush(self._waits, (until, next(self._numbers), wait))
        if until < self._rings_at:
            self._ring_at(until)

    def _ring_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = asyncio.get_running_loop().call_at(at, self._sweep)

    def _sweep(self) -> None:
        self._timer, self._rings_at = None, float("inf")
        now = asyncio.get_running_loop().time()
        while self._waits and (self._waits[0][0] <= now or self._waits[0][2].done()):
            _, _, wait = heappop(self._waits)
            if not wait.done():
                wait.set_exception(self._problem())
        if self._waits:
            self._ring_at(self._waits[0][0])
