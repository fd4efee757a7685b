"""Whole days of a time zone, and when they begin."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def day_of(moment: datetime, time_zone: str) -> date:
    """The day of a moment in a time zone."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def begin_of(day: date, time_zone: str) -> datetime:
    """The moment at which a day begins in a time zone, in UTC."""
    return datetime.combine(day, time.min, ZoneInfo(time_zone)).astimezone(UTC)
