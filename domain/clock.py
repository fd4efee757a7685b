"""The clock: what asks for the time is handed one of these, so that tests can hold it still."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present, aware, in UTC."""
    return datetime.now(UTC)
