"""Work of an event loop beside its requests: begun anew when it fails, and seen when it is over for good."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog

_log = structlog.get_logger(__name__)

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.1, 30.0

Step = Callable[[], Awaitable[None]]


class BackgroundTask:
    """Work that goes on until it is closed, whatever it raises. For one event loop.

    Args:
        name: in the log, and in the health check.
        work: never returns by itself.
        first_delay_s, longest_delay_s: before work that failed is begun anew; doubled each time, and back to the first
            after work that went well for the longest.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        first_delay_s: float = _FIRST_DELAY_S,
        longest_delay_s: float = _LONGEST_DELAY_S,
    ) -> None:
        self._name = name
        self._work = work
        self._first_delay_s = first_delay_s
        self._longest_delay_s = longest_delay_s
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def dead(self) -> list[str]:
        """Its name, if it was started and does not work any more though nobody has closed it."""
        is_dead = self._task is not None and self._task.done() and not self._is_closing
        return [self._name] if is_dead else []

    def start(self) -> None:
        """Begin; needs the running event loop."""
        # A context of its own: Serve would end what it asks together with the request in whose context it began.
        self._task = asyncio.get_running_loop().create_task(self._supervise(), context=contextvars.Context())

    def cancel(self) -> None:
        """Have it end soon."""
        self._is_closing = True
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """End it. Raises nothing that it raises."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _supervise(self) -> None:
        loop, delay_s = asyncio.get_running_loop(), self._first_delay_s
        while True:
            began = loop.time()
            try:
                await self._work()
                _log.error("background_task_ended", task=self._name)
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
                _log.warning("background_task_failed", task=self._name, error="what it asked was cancelled")
            except Exception:  # noqa: BLE001 - whatever it was, to begin anew is the answer
                _log.exception("background_task_failed", task=self._name)
            if loop.time() - began >= self._longest_delay_s:
                delay_s = self._first_delay_s
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self._longest_delay_s)


def repeating(step: Step, every_s: float) -> Callable[[], Coroutine[Any, Any, None]]:
    """Work that rests and does a step, again and again.

    Args:
        step: what fails in it ends this round of the work, see `BackgroundTask`.
        every_s: from the end of one step to the beginning of the next.
    """

    async def work() -> None:
        while True:
            await asyncio.sleep(every_s)
            await step()

    return work


def is_being_cancelled() -> bool:
    """Whether the current task itself is to end, and not only something that it asked."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Part(Protocol):
    """What an application runs or has open while it serves."""

    @property
    def dead(self) -> list[str]:
        """The names of its tasks that do not work any more."""

    def start(self) -> None:
        """Begin; needs the running event loop."""

    async def close(self) -> None:
        """End."""


class Lifespan:
    """From the start of an application to its end.

    Args:
        parts: begun in this order, and closed in the reverse one.
        on_stop: called in the end, when the parts have been closed.
    """

    def __init__(self, *parts: Part, on_stop: Step | None = None) -> None:
        self._parts = parts
        self._on_stop = on_stop

    @property
    def dead(self) -> list[str]:
        """The names of tasks that do not work any more: the replica is to be replaced."""
        return [name for part in self._parts for name in part.dead]

    async def start(self) -> None:
        """Begin everything."""
        for part in self._parts:
            part.start()

    async def stop(self) -> None:
        """Close everything, whatever one of them raises."""
        for part in reversed(self._parts):
            await _closed(type(part).__name__, part.close)
        if self._on_stop is not None:
            await _closed("clients", self._on_stop)


async def _closed(name: str, close: Step) -> None:
    try:
        await close()
    except Exception:  # noqa: BLE001 - the others are to be closed too
        _log.exception("not_closed", part=name)
