"""Rate limits: a token bucket per client."""

from collections.abc import Callable, Hashable
from time import monotonic


class RateLimit:
    """A token bucket per client that holds one second's worth.

    Args:
        per_second: fill rate and size of a bucket.
        room: number of clients above which full buckets are dropped.
        clock: monotonic clock, in seconds.
    """

    def __init__(self, per_second: float, *, room: int = 10_000, clock: Callable[[], float] = monotonic) -> None:
        self._rate = per_second
        self._holds = max(1.0, per_second)
        self._room = room
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable, amount: int = 1) -> float:
        """Take tokens. Returns 0, or the seconds until one is available.

        An amount larger than the bucket is taken too; the bucket then takes as long to refill.
        """
        wait_s = self.wait_s(key)
        if not wait_s:
            self.charge(key, amount)
        return wait_s

    def wait_s(self, key: Hashable) -> float:
        """Seconds until a token is available; 0 if one is."""
        left = self._left(key, self._clock())
        return 0.0 if left >= 1.0 else (1.0 - left) / self._rate

    def charge(self, key: Hashable, amount: int = 1) -> None:
        """Take tokens unconditionally."""
        now = self._clock()
        self._buckets[key] = (self._left(key, now) - amount, now)
        if len(self._buckets) > self._room:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if self._left(key, now) < self._holds}

    def _left(self, key: Hashable, now: float) -> float:
        left, at = self._buckets.get(key, (self._holds, now))
        return min(self._holds, left + (now - at) * self._rate)
