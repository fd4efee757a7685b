"""Simulated time, and waiting in it until somebody says stop."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from domain.clock import system_clock

_SECONDS_A_MINUTE = 60.0


class Pace:
    """The clock of a rush.

    Args:
        speed: how many simulated minutes pass in a real one.
        minutes: how long it lasts, simulated.
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
        """Whether nobody is to come any more."""
        return self._stopped.is_set()

    @property
    def seconds(self) -> float:
        """Real ones since this was made."""
        return self._loop.time() - self._started

    def second_of(self, moment: float) -> float:
        """The same of a reading of the event loop's clock."""
        return moment - self._started

    @property
    def minute(self) -> float:
        """Simulated, after the beginning; before it 0."""
        if self._began is None:
            return 0.0
        return (self._loop.time() - self._began) * self._speed / _SECONDS_A_MINUTE

    def begin(self) -> None:
        """Let simulated time run."""
        self._began = self._loop.time()

    def stop(self) -> None:
        """Wake whoever waits: nothing new is asked from now on."""
        self._stopped.set()

    async def until_minute(self, minute: float) -> float | None:
        """Wait for a simulated minute.

        Returns:
            The real second at which it is due; None: it does not come any more.
        """
        if self._began is None or minute > self.minutes:
            return None
        due = self._began - self._started + minute * _SECONDS_A_MINUTE / self._speed
        return await self.until_second(due)

    async def until_second(self, second: float) -> float | None:
        """Wait for a real second; at once where it is past. Returns it, or None once nothing new is to be asked."""
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
