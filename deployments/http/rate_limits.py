"""How often one asker may ask."""

from collections.abc import Callable, Hashable
from time import monotonic


class RateLimit:
    """A token bucket for each asker, holding a second's worth.

    Args:
        per_second: how fast a bucket fills, and how much it holds.
        room: after so many askers, full buckets are thrown away.
        clock: seconds that only ever rise.
    """

    def __init__(self, per_second: float, *, room: int = 10_000, clock: Callable[[], float] = monotonic) -> None:
        self._rate = per_second
        self._holds = max(1.0, per_second)
        self._room = room
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, asker: Hashable, amount: int = 1) -> float:
        """Take so many; 0 when one was there, otherwise the seconds until one will be.

        More than the bucket holds is taken all the same: then it takes as long to fill again.
        """
        wait_s = self.wait_s(asker)
        if not wait_s:
            self.charge(asker, amount)
        return wait_s

    def wait_s(self, asker: Hashable) -> float:
        """The seconds until one will be there; 0 when one is."""
        left = self._left(asker, self._clock())
        return 0.0 if left >= 1.0 else (1.0 - left) / self._rate

    def charge(self, asker: Hashable, amount: int = 1) -> None:
        """Take so many, whether they are there or not."""
        now = self._clock()
        self._buckets[asker] = (self._left(asker, now) - amount, now)
        if len(self._buckets) > self._room:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if self._left(key, now) < self._holds}

    def _left(self, asker: Hashable, now: float) -> float:
        left, at = self._buckets.get(asker, (self._holds, now))
        return min(self._holds, left + (now - at) * self._rate)
