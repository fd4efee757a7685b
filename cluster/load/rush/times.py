"""Simulated times as they are shown."""

from cluster.load.rush.curve import first_minute

_DAY = 24 * 60


def clock(minute: float, minutes: float) -> str:
    """The time of day of a simulated minute, as `17:05`, in a rush that lasts so many minutes."""
    at = round(first_minute(minutes) + minute) % _DAY
    return f"{at // 60}:{at % 60:02}"
