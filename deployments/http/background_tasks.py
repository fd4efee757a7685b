"""Supervised background tasks of an application: restarted when they fail, reported when they are dead."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import structlog

_log = structlog.get_logger(__name__)

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.1, 30.0

Step = Callable[[], Awaitable[None]]


class BackgroundTask:
    """A task that runs until it is closed and is restarted on errors. For one event loop.

    Args:
        name: for the log and the health check.
        work: runs for ever.
        first_delay_s, longest_delay_s: delay before a restart; doubled each time, and reset after a run of
            `longest_delay_s` without errors.
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
        """Its name if it was started and no longer runs, although nobody closed it."""
        is_dead = self._task is not None and self._task.done() and not self._is_closing
        return [self._name] if is_dead else []

    def start(self) -> None:
        """Start; requires a running event loop."""
        # A context of its own: Serve would end what it asks together with the request in whose context it began.
        self._task = asyncio.get_running_loop().create_task(self._supervise(), context=contextvars.Context())

    def cancel(self) -> None:
        """Cancel without waiting."""
        self._is_closing = True
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Cancel and wait. Raises none of its errors."""
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
    """Run a step again and again with a pause.

    Args:
        step: an error ends the current run, see `BackgroundTask`.
        every_s: pause between two steps.
    """

    async def work() -> None:
        while True:
            await asyncio.sleep(every_s)
            await step()

    return work


def is_being_cancelled() -> bool:
    """Whether the current task itself is cancelled, and not only something that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class Part(Protocol):
    """Something that an application runs while it serves."""

    @property
    def dead(self) -> list[str]:
        """Names of its tasks that no longer run."""

    def start(self) -> None:
        """Start; requires a running event loop."""

    async def close(self) -> None:
        """Stop."""


class Lifespan:
    """Starts and stops everything that an application runs.

    Args:
        parts: started in this order, closed in reverse order.
        on_stop: called last.
    """

    def __init__(self, *parts: Part, on_stop: Step | None = None) -> None:
        self._parts = parts
        self._on_stop = on_stop

    @property
    def dead(self) -> list[str]:
        """Names of tasks that no longer run; the replica must be replaced."""
        return [name for part in self._parts for name in part.dead]

    async def start(self) -> None:
        """Start everything."""
        for part in self._parts:
            part.start()

    async def stop(self) -> None:
        """Close everything, even if one of them raises."""
        for part in reversed(self._parts):
            await _closed(type(part).__name__, part.close)
        if self._on_stop is not None:
            await _closed("clients", self._on_stop)


async def _closed(name: str, close: Step) -> None:
    try:
        await close()
    except Exception:  # noqa: BLE001 - the others are to be closed too
        _log.exception("not_closed", part=name)
