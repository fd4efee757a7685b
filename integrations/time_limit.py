"""How long an answer may still take: whoever begins one says so, whoever waits for another system asks.

The limit belongs to the call that is being answered, whatever it does in the meantime and however often.
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
def within(seconds: float, clock: Callable[[], float] = monotonic) -> Iterator[None]:
    """Limit what is done in the `with`; inside another limit, the outer one counts.

    Args:
        seconds: from now on.
        clock: seconds that only ever rise.
    """
    if _limit.get() is not None:
        yield
        return
    token = _limit.set(_Limit(clock() + seconds, clock))
    try:
        yield
    finally:
        _limit.reset(token)


def is_time_for(seconds: float) -> bool:
    """Whether something that may take so long ends within the limit; always where there is none."""
    return left_s(seconds) >= seconds


def left_s(most: float) -> float:
    """The seconds until the limit ends, never negative; `most` where there are more, or no limit."""
    limit = _limit.get()
    return most if limit is None else max(0.0, min(most, limit.ends_at - limit.clock()))
