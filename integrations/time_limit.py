"""Time limits of requests. The caller sets the limit; calls to other systems check how much is left.

A limit applies to the current request, across all calls that it makes.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from time import monotonic
from typing import ParamSpec, TypeVar

C = TypeVar("C")
P = ParamSpec("P")
R = TypeVar("R")


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


def limit_each_call(seconds: float) -> Callable[[type[C]], type[C]]:
    """Class decorator that limits each public method."""

    def decorate(cls: type[C]) -> type[C]:
        for name, method in list(vars(cls).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(cls, name, _limited(method, seconds))
        return cls

    return decorate


def _limited(method: Callable[P, R], seconds: float) -> Callable[P, R]:
    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with time_limit(seconds):
            return method(*args, **kwargs)

    return call
