"""Attendance figures as somebody would count them by hand: one visit, one hour, one moment after the other."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import polars as pl

from domain.attendance.calendar import UTC_TIME

_STEP = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class HandVisit:
    gym_id: str
    entered_at: datetime
    left_at: datetime | None
    member_key: int | None = None
    inferred: str | None = None


@dataclass(frozen=True, slots=True)
class HandHour:
    """An hour of a gym, found by looking at its clock each minute."""

    day: date
    hour: int
    starts_at: datetime
    ends_at: datetime

    def contains(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at


@cache
def hours_by_hand(time_zone: str, first_day: date, last_day: date, as_of: datetime | None = None) -> list[HandHour]:
    zone = ZoneInfo(time_zone)
    moment = datetime.combine(first_day, datetime.min.time(), UTC) - timedelta(days=1)
    stop = datetime.combine(last_day, datetime.min.time(), UTC) + timedelta(days=2)
    found: list[HandHour] = []
    last: tuple[date, int, timedelta | None] | None = None
    while moment < stop and (as_of is None or moment < as_of):
        local = moment.astimezone(zone)
        clock = local.date(), local.hour, local.utcoffset()
        if first_day <= local.date() <= last_day:
            after = moment + _STEP if as_of is None else min(moment + _STEP, as_of)
            if clock == last:
                found[-1] = HandHour(found[-1].day, found[-1].hour, found[-1].starts_at, after)
            else:
                found.append(HandHour(local.date(), local.hour, moment, after))
        last = clock
        moment += _STEP
    return found


def gym_hours_by_hand(
    visits: Iterable[HandVisit], gym_id: str, capacity: int, hours: Iterable[HandHour]
) -> Iterator[tuple[object, ...]]:
    """Rows of `gym_hours`: day, hour, length, entries, exits, inside, min, max, occupied, busy, full."""
    here = [visit for visit in visits if visit.gym_id == gym_id]
    for hour in hours:
        moments = {hour.starts_at, hour.ends_at}
        for visit in here:
            moments |= {at for at in (visit.entered_at, visit.left_at) if at is not None and hour.contains(at)}
        ordered = sorted(moments)
        levels = [
            (sum(_is_inside(visit, begin) for visit in here), end - begin) for begin, end in itertools.pairwise(ordered)
        ]
        yield (
            hour.day,
            hour.hour,
            _us(hour.ends_at - hour.starts_at),
            sum(hour.contains(visit.entered_at) for visit in here),
            sum(visit.left_at is not None and hour.contains(visit.left_at) for visit in here),
            sum(level * _us(length) for level, length in levels),
            min(level for level, _ in levels),
            max(level for level, _ in levels),
            sum(_us(length) for level, length in levels if level > 0),
            sum(_us(length) for level, length in levels if level > 0.8 * capacity),
            sum(_us(length) for level, length in levels if level >= capacity),
        )


def member_days_by_hand(visits: Iterable[HandVisit], time_zone: str) -> dict[tuple[str, int | None, date], int]:
    counted: dict[tuple[str, int | None, date], int] = defaultdict(int)
    for visit in visits:
        counted[visit.gym_id, visit.member_key, visit.entered_at.astimezone(ZoneInfo(time_zone)).date()] += 1
    return dict(counted)


def visit_frame(visits: Iterable[HandVisit]) -> pl.DataFrame:
    """Visits as the archive's reader returns them."""
    rows = [(visit.gym_id, visit.member_key, visit.entered_at, visit.left_at, visit.inferred) for visit in visits]
    schema = pl.Schema(
        {
            "gym_id": pl.String(),
            "member_key": pl.Int64(),
            "entered_at": UTC_TIME,
            "left_at": UTC_TIME,
            "inferred": pl.String(),
        }
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def _is_inside(visit: HandVisit, moment: datetime) -> bool:
    return visit.entered_at <= moment and (visit.left_at is None or moment < visit.left_at)


def _us(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
