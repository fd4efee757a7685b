"""Whole days of a place, and the moments at which they begin."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def day_of(moment: datetime, time_zone: str) -> date:
    """The day that it is somewhere."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def begin_of(day: date, time_zone: str) -> datetime:
    """The moment at which a day begins somewhere, in UTC."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)
