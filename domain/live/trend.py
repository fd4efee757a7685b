"""The last hour of a gym, minute by minute, from what its scans say."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.live.model import TrendMinute

_MINUTE = timedelta(minutes=1)
LENGTH = timedelta(minutes=60)
"""The present minute is the last of them."""


def minute_of(moment: datetime) -> datetime:
    """When its minute began."""
    return moment.replace(second=0, microsecond=0)


def first_minute(now: datetime) -> datetime:
    """When the hour began that the trend shows."""
    return minute_of(now) - LENGTH + _MINUTE


def filled(counted: Sequence[TrendMinute], since: datetime, now: datetime, occupancy: int) -> tuple[TrendMinute, ...]:
    """Every minute of a while, also those in which nobody came or left.

    Args:
        counted: the minutes that have scans, in order; `occupancy` as the last of each told it.
        since: the first minute wanted.
        now: the last one is the present.
        occupancy: how many are inside now; an end without a scan is not among the scans, so this is what counts.
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
    """An hour up to the last minute of `after`, whose minutes take the place of those known before."""
    if not after:
        return tuple(before)
    began, first = after[0].minute, first_minute(after[-1].minute)
    return (*(one for one in before if first <= one.minute < began), *after)
