"""The last hour of a gym by minutes, from its scans."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.live.model import TrendMinute

_MINUTE = timedelta(minutes=1)
LENGTH = timedelta(minutes=60)
"""Including the present minute."""


def minute_of(moment: datetime) -> datetime:
    """The begin of the minute of a moment."""
    return moment.replace(second=0, microsecond=0)


def first_minute(now: datetime) -> datetime:
    """The first minute of the trend."""
    return minute_of(now) - LENGTH + _MINUTE


def filled(counted: Sequence[TrendMinute], since: datetime, now: datetime, occupancy: int) -> tuple[TrendMinute, ...]:
    """All minutes of a period, including those without scans.

    Args:
        counted: the minutes with scans, in order; `occupancy` is that of the last scan.
        since: the first minute.
        now: in the last minute.
        occupancy: how many are inside now. It overrides the scans, because visits can end without a scan.
    """
    by_minute = {one.minute: one for one in counted}
    inside = counted[0].occupancy - counted[0].entered + counted[0].left if counted else occupancy
    series: list[TrendMinute] = []
    minute, last = since, minute_of(now)
    while minute <= last:
        found = by_minute.get(minute, TrendMinute(minute, 0, 0, inside))
        inside = occupancy if minute == last else found.occupancy
        series.append(TrendMinute(minute, found.entered, found.left, max(0, inside)))
        minute += _MINUTE
    return tuple(series)


def joined(before: Sequence[TrendMinute], after: Sequence[TrendMinute]) -> tuple[TrendMinute, ...]:
    """An hour up to the last minute of `after`, whose minutes replace earlier ones."""
    if not after:
        return tuple(before)
    began, first = after[0].minute, first_minute(after[-1].minute)
    return (*(one for one in before if first <= one.minute < began), *after)
