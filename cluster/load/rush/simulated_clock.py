"""The clock of a rush: simulated time, and waiting in it until the rush is stopped."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from domain.clock import system_clock

_SECONDS_PER_MINUTE = 60.0


class SimulatedClock:
    """The clock of a rush.

    Args:
        speed: simulated minutes per real one.
        minutes: how long the rush lasts, simulated.
        now: the real time, as doors and phones have it.
    """

    def __init__(self, speed: float, minutes: float, now: Callable[[], datetime] = system_clock) -> None:
        self.minutes = minutes
        self.now = now
        self._speed = speed
        self._stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._began: float | None = None

    @property
    def has_begun(self) -> bool:
        """Whether simulated time runs."""
        return self._began is not None

    @property
    def is_stopped(self) -> bool:
        """Whether nobody arrives any more."""
        return self._stopped.is_set()

    @property
    def seconds(self) -> float:
        """Real seconds since this clock was made."""
        return self.second_of(self._loop.time())

    def second_of(self, moment: float) -> float:
        """The same for a reading of the event loop's clock."""
        return moment - self._started

    @property
    def minute(self) -> float:
        """Simulated minutes since the beginning; 0 before it."""
        if self._began is None:
            return 0.0
        return (self._loop.time() - self._began) * self._speed / _SECONDS_PER_MINUTE

    def begin(self) -> None:
        """Let simulated time run."""
        self._began = self._loop.time()

    def stop(self) -> None:
        """Wake everybody who waits: nothing new begins from now on."""
        self._stopped.set()

    async def until_minute(self, minute: float) -> float | None:
        """Wait for a simulated minute.

        Returns:
            The real second at which it is due; None when it is after the end, or the rush is stopped.
        """
        if self._began is None or minute > self.minutes:
            return None
        return await self.until_second(self.second_of(self._began + minute * _SECONDS_PER_MINUTE / self._speed))

    async def until_second(self, second: float) -> float | None:
        """Wait for a real second, not at all when it is past. Returns it, or None when the rush is stopped."""
        while not self.is_stopped:
            left = second - self.seconds
            if left <= 0:
                return second
            try:
                await asyncio.wait_for(self._stopped.wait(), left)
            except TimeoutError:
                continue
        return None

    async def pause(self, seconds: float) -> float | None:
        """Wait so many real seconds; as `until_second`."""
        return await self.until_second(self.seconds + seconds)
