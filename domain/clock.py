"""The clock, an argument of everything that needs the time, so that tests can replace it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)
