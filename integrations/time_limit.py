"""Time limits of requests. The caller sets the limit; calls to other systems check how much is left.

A limit applies to the current request, across all calls that it makes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class _Limit:
    ends_at: float
    clock: Callable[[], float]


_limit: ContextVar[_Limit | None] = ContextVar("time_limit", default=None)


@contextmanager
def time_limit(seconds: float, clock: Callable[[], float] = monotonic) -> Iterator[None]:
    """Limit the duration of a `with` block; inside another limit, only the outer one counts.

    Args:
        seconds: from now on.
        clock: monotonic clock, in seconds.
    """
    if _limit.get() is not None:
        yield
        return
    token = _limit.set(_Limit(clock() + seconds, clock))
    try:
        yield
    finally:
        _limit.reset(token)


def has_time_for(seconds: float) -> bool:
    """Whether an operation of this duration fits into the limit; always true without a limit."""
    return remaining_s(seconds) >= seconds


def remaining_s(max_s: float) -> float:
    """Seconds until the limit, at least 0 and at most `max_s`."""
    limit = _limit.get()
    return max_s if limit is None else max(0.0, min(max_s, limit.ends_at - limit.clock()))
