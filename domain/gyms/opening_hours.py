"""When a gym is open, in its own time zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """One span of one weekday.

    Args:
        weekday: 0 is Monday.
        opens_minute: minutes after local midnight, 0 to 1439.
        closes_minute: past 1440 when the gym closes after midnight; at most 2880.
    """

    weekday: int
    opens_minute: int
    closes_minute: int


def is_open(hours: Sequence[OpeningHours], time_zone: str, now: datetime) -> bool:
    """Whether the gym is open; one without any hours always is.

    The clock on the wall decides: on the night of a change to summer time a gym that closes at six closes at six.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """
    if not hours:
        return True
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    return any(
        _at(day, span.opens_minute, zone) <= now < _at(day, span.closes_minute, zone)
        for day in (today - timedelta(days=1), today)
        for span in hours
        if span.weekday == day.weekday()
    )


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    days, minute = divmod(minute, MINUTES_A_DAY)
    return datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
