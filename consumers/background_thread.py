"""A thread that runs until it is told to stop, and shows meanwhile that it lives."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Thread

import structlog

_log = structlog.get_logger(__name__)


class LivingThread(ABC):
    """The life of a consumer's thread; what it does is its heirs'.

    Args:
        name: of the thread.
        monotonic: seconds of a clock that only rises.
        stopping: ends it once set; heirs rest by waiting for that.
    """

    def __init__(self, name: str, monotonic: Callable[[], float], stopping: Event | None = None) -> None:
        self._name = name
        self._monotonic = monotonic
        self._stopping = stopping or Event()
        self._thread: Thread | None = None
        self._heartbeat = monotonic()

    def start(self) -> None:
        """Run on a thread of its own."""
        self._thread = Thread(target=self._run_alone, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> bool:
        """Let it finish what it has in hand, and end.

        Args:
            timeout_s: how long to wait for that; None: as long as it takes.

        Returns:
            Whether the thread has ended.
        """
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return not self.alive

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def heartbeat_age_s(self) -> float:
        """Seconds since it last showed a sign of life."""
        return self._monotonic() - self._heartbeat

    @abstractmethod
    def run(self) -> None:
        """Work until stopped."""

    def _run_alone(self) -> None:
        try:
            self.run()
        except Exception:  # noqa: BLE001 - the last frame of this thread
            _log.exception("thread_died", thread=self._name)  # and `alive` says so

    def _beat(self) -> None:
        self._heartbeat = self._monotonic()
