"""When a gym is open, in its own time zone, on the nights on which clocks change too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MINUTES_A_DAY = 24 * 60

_DAY = timedelta(days=1)
_SET_BACK_AT_MOST = 3 * 60  # minutes; no clock of the last century was, at once
_ALL_DAY = ((0, MINUTES_A_DAY),)
# Two weeks after the last exception show every gap that a week has: whoever stays open through them never closes.
_LOOKED_AHEAD = timedelta(days=16)

Span = tuple[datetime, datetime]


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


@dataclass(frozen=True, slots=True)
class OpeningException:
    """One span of one day of the calendar; whatever is said of a day stands in place of its weekday's spans.

    Args:
        day: of the gym's own calendar.
        opens_minute, closes_minute: as in `OpeningHours`; None: closed all day.
        note: for people, such as the name of a holiday.
    """

    day: date
    opens_minute: int | None
    closes_minute: int | None
    note: str = ""


def is_open(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], time_zone: str, now: datetime
) -> bool:
    """Whether the gym is open; one without any hours is, on every day of which nothing else is said.

    The clock on the wall decides: on the night of a change to summer time a gym that closes at six closes at six. An
    hour that comes twice is one long hour, and a time that never comes is the moment at which the clock jumps over it.

    Args:
        exceptions: of the two days before and after at least.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """
    if not hours and not exceptions:
        return True
    zone = ZoneInfo(time_zone)
    shown = now.astimezone(zone)
    minute = shown.hour * 60 + shown.minute
    return any(
        # Most spans are told by what the wall shows; what it shows may have been shown before.
        opens - _SET_BACK_AT_MOST <= minute - days * MINUTES_A_DAY < closes
        and _at(day, opens, zone) <= now < _at(day, closes, zone)
        for days in (0, -1, 1)
        for day in (shown.date() + timedelta(days=days),)
        for opens, closes in _minutes(day, hours, exceptions)
    )


def closing_after(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], time_zone: str, moment: datetime
) -> datetime | None:
    """When the gym next closes after a moment; None: it never does.

    Spans that touch are one, at midnight too. Who is inside while the gym is closed sees it open and close once more.

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
    """When the gym next opens, if it is closed, or closes, if it is open; None: never. As `closing_after`."""
    for opens, closes in _periods(hours, exceptions, ZoneInfo(time_zone), moment):
        if opens > moment:
            return opens
        if closes is None or closes > moment:
            return closes
    return None


def _periods(
    hours: Sequence[OpeningHours], exceptions: Sequence[OpeningException], zone: ZoneInfo, moment: datetime
) -> Iterator[tuple[datetime, datetime | None]]:
    """From when to when the gym is open, from around a moment on; the last one may have no end."""
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
    """The spans that begin on a day, in their order; those of which a change of the clocks leaves nothing are none."""
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
    """The first moment at which the clock on the wall shows this time of this day, or a later one."""
    days, minute = divmod(minute, MINUTES_A_DAY)
    shown = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60))
    moment = shown.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == shown:
        return moment
    # The clock jumps over this time (PEP 495): the jump lies between what it is by the old offset and by the new one.
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    while moment - before > timedelta(seconds=1):
        middle = before + (moment - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            before = middle
        else:
            moment = middle
    return moment
