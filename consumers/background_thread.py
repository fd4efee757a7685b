"""A thread that runs until it is stopped and shows that it is alive."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Thread

import structlog

_log = structlog.get_logger(__name__)


class BackgroundThread(ABC):
    """Base of every thread of a consumer. Subclasses implement `run` and call `_beat` often.

    Args:
        name: the name of the thread.
        monotonic: a monotonic clock, in seconds.
        stopping: ends the thread once set. Subclasses pause by waiting for it.
    """

    def __init__(self, name: str, monotonic: Callable[[], float], stopping: Event | None = None) -> None:
        self._name = name
        self._monotonic = monotonic
        self._stopping = stopping or Event()
        self._thread: Thread | None = None
        self._last_beat = monotonic()

    def start(self) -> None:
        """Start the thread."""
        self._thread = Thread(target=self._run_and_log_errors, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Stop the thread after its current piece of work.

        Args:
            timeout_s: how long to wait for that, in seconds; None: without a limit.

        Returns:
            Whether the thread has ended.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.alive

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def heartbeat_age_s(self) -> float:
        """Seconds since the last heartbeat."""
        return self._monotonic() - self._last_beat

    @abstractmethod
    def run(self) -> None:
        """Work until stopped."""

    def _run_and_log_errors(self) -> None:
        try:
            self.run()
        except Exception:  # noqa: BLE001 - the last frame of this thread; the health check reads `alive`
            _log.exception("thread_failed", thread=self._name)

    def _beat(self) -> None:
        self._last_beat = self._monotonic()
