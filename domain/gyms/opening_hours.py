"""When a gym is open, in its own time zone, also on nights when the clocks change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60

_DAY = timedelta(days=1)
_SET_BACK_AT_MOST = 3 * 60  # minutes; more than any clock was set back at once in the last hundred years
_ALL_DAY = ((0, MINUTES_A_DAY),)
# Two weeks after the last exception contain every gap of a week: a gym that stays open through them never closes.
_LOOKED_AHEAD = timedelta(days=16)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """One span of hours on a weekday.

    Args:
        weekday: 0 is Monday.
        opens_minute: minutes after local midnight, 0 to 1439.
        closes_minute: more than 1440 if the gym closes after midnight; at most 2880.
    """

    weekday: int
    opens_minute: int
    closes_minute: int


@dataclass(frozen=True, slots=True)
class OpeningException:
    """One span of hours on a day of the calendar. Exceptions of a day replace the spans of its weekday.

    Args:
        day: in the time zone of the gym.
        opens_minute, closes_minute: as in `OpeningHours`; None: closed all day.
        note: free text, such as the name of a holiday.
    """

    day: date
    opens_minute: int | None
    closes_minute: int | None
    note: str = ""


def is_open(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], time_zone: str, now: datetime
) -> bool:
    """Whether the gym is open. Without any hours it is open on every day that has no exception.

    The local clock decides: on the night when summer time begins, a gym that closes at six closes at six. An hour that
    occurs twice is one long hour. A time that is skipped is the moment of the skip.

    Args:
        exceptions: at least those from two days before to two days after.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """
    if not hours and not exceptions:
        return True
    zone = ZoneInfo(time_zone)
    shown = now.astimezone(zone)
    minute = shown.hour * 60 + shown.minute
    return any(
        # The local clock time rules out most spans cheaply; the second line is exact when a clock time occurs twice.
        opens - _SET_BACK_AT_MOST <= minute - days * MINUTES_A_DAY < closes
        and _at(day, opens, zone) <= now < _at(day, closes, zone)
        for days in (0, -1, 1)
        for day in (shown.date() + timedelta(days=days),)
        for opens, closes in _minutes(day, hours, exceptions)
    )


def closing_after(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], time_zone: str, moment: datetime
) -> datetime | None:
    """When the gym next closes after a moment; None: never.

    Adjacent spans count as one, also at midnight. If the gym is closed at the moment, this is the end of its next
    opening.

    Args:
        exceptions: all from the day before the moment on.

    Returns:
        In UTC.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """
    for _, closes in _periods(hours, exceptions, ZoneInfo(time_zone), moment):
        if closes is None or closes > moment:
            return closes
    return None


def change_after(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], time_zone: str, moment: datetime
) -> datetime | None:
    """When the gym next opens, if it is closed, or closes, if it is open; None: never. See `closing_after`."""
    for opens, closes in _periods(hours, exceptions, ZoneInfo(time_zone), moment):
        if opens > moment:
            return opens
        if closes is None or closes > moment:
            return closes
    return None


def _periods(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], zone: ZoneInfo, moment: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """The periods in which the gym is open, from around a moment on; the last one may have no end."""
    if not hours and not exceptions:
        return
    day = moment.astimezone(zone).date() - _DAY
    end = max([day, *(exception.day for exception in exceptions)]) + _LOOKED_AHEAD
    begun: Span | None = None
    while day < end:
        for opens, closes in _spans(day, hours, exceptions, zone):
            if begun is None or opens > begun[1]:
                if begun is not None:
                    yield begun
                begun = (opens, closes)
            else:
                begun = (begun[0], max(begun[1], closes))
        day += _DAY
    if begun is not None:
        yield begun[0], None if begun[1] >= _at(end, 0, zone) else begun[1]


def _spans(
    day: date, hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], zone: ZoneInfo
) -> list[Span]:
    """The spans that begin on a day, in order, without those that a change of the clocks skips completely."""
    spans = [
        (_at(day, opens, zone), _at(day, closes, zone)) for opens, closes in sorted(_minutes(day, hours, exceptions))
    ]
    return [span for span in spans if span[0] < span[1]]


def _minutes(
    day: date, hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException]
) -> Sequence[tuple[int, int]]:
    """The spans of a day in minutes after its midnight."""
    special = [exception for exception in exceptions if exception.day == day]
    if special:
        return [
            (one.opens_minute, one.closes_minute)
            for one in special
            if one.opens_minute is not None and one.closes_minute is not None
        ]
    if hours:
        weekday = day.weekday()
        return [(span.opens_minute, span.closes_minute) for span in hours if span.weekday == weekday]
    return _ALL_DAY


def _at(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """The first moment at which the local clock shows this time of this day, or a later time."""
    days, minute = divmod(minute, MINUTES_A_DAY)
    shown = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60))
    moment = shown.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == shown:
        return moment
    # The clock skips this time (PEP 495): the skip lies between the moments by the old and the new offset.
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment - before > timedelta(seconds=1):
        middle = before + (moment - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            before = middle
        else:
            moment = middle
    return moment
