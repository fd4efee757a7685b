"""The opening hours that admins enter, and their validation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from domain.gyms.model import Gym, GymProblem, GymRefusal
from domain.gyms.opening_hours import MINUTES_A_DAY, OpeningException, OpeningHours

LATEST_MINUTE = 2 * MINUTES_A_DAY

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MINUTES_A_WEEK = 7 * MINUTES_A_DAY


@dataclass(frozen=True, slots=True)
class Timetable:
    """The hours of the weekdays, and the exceptional days. Without any hours the gym is always open."""

    hours: tuple[OpeningHours, ...] = ()
    exceptions: tuple[OpeningException, ...] = ()


@dataclass(frozen=True, slots=True)
class GymHours:
    """A gym and its opening hours, which share one version."""

    gym: Gym
    timetable: Timetable


@dataclass(frozen=True, slots=True)
class _NamedSpan:
    """A span in minutes of the week or of the calendar, with its name in messages."""

    opens: int
    closes: int
    name: str


def refuse_timetable(timetable: Timetable) -> GymRefusal | None:
    """Why opening hours are refused, with a hint for each fault; None if they are not."""
    faults = [
        *_faults_of_spans(timetable),
        *_overlaps(_weekly(timetable.hours)),
        *_closed_and_open(timetable.exceptions),
        *_overlaps(_by_calendar(timetable.exceptions)),
    ]
    return GymRefusal(GymProblem.HOURS_DO_NOT_FIT, " ".join(faults)) if faults else None


def clock_time(minute: int) -> str:
    """Minutes after midnight as a clock time; hours after midnight continue, such as 26:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _faults_of_spans(timetable: Timetable) -> Iterator[str]:
    spans = [
        *((_WEEKDAYS[span.weekday], span.opens_minute, span.closes_minute) for span in timetable.hours),
        *(
            (one.day.isoformat(), one.opens_minute, one.closes_minute)
            for one in timetable.exceptions
            if one.opens_minute is not None and one.closes_minute is not None
        ),
    ]
    for name, opens, closes in spans:
        if not 0 <= opens < MINUTES_A_DAY:
            yield f"{name}: opening time must be from 00:00 to 23:59. Begin on the day before or after."
        elif not opens < closes <= LATEST_MINUTE:
            later = clock_time(closes % MINUTES_A_DAY + MINUTES_A_DAY)
            yield f"{_span(name, opens, closes)} does not end after it begins. For a time after midnight use {later}."


def _closed_and_open(exceptions: Sequence[OpeningException]) -> Iterator[str]:
    closed = [one.day for one in exceptions if one.opens_minute is None]
    for day in sorted(set(closed)):
        if len([one for one in exceptions if one.day == day]) > 1:
            yield f"{day.isoformat()} is both closed all day and listed with hours. Keep one of the two."


def _weekly(hours: Sequence[OpeningHours]) -> list[_NamedSpan]:
    """The spans of two weeks in a row, because Sunday night may reach into Monday."""
    return [
        _NamedSpan(start + span.opens_minute, start + span.closes_minute, _name(span))
        for week in (0, 1)
        for span in hours
        for start in (week * _MINUTES_A_WEEK + span.weekday * MINUTES_A_DAY,)
    ]


def _by_calendar(exceptions: Sequence[OpeningException]) -> list[_NamedSpan]:
    first = min((one.day for one in exceptions), default=date.min)
    return [
        _NamedSpan(start + one.opens_minute, start + one.closes_minute, _span(one.day.isoformat(), *minutes))
        for one in exceptions
        if one.opens_minute is not None and one.closes_minute is not None
        for start, minutes in (
            ((one.day - first) // timedelta(days=1) * MINUTES_A_DAY, (one.opens_minute, one.closes_minute)),
        )
    ]


def _overlaps(spans: list[_NamedSpan]) -> Iterator[str]:
    ordered = sorted(spans, key=lambda span: span.opens)
    reported = set()
    for one, following in pairwise(ordered):
        pair = (one.name, following.name)
        if following.opens < one.closes and pair not in reported:
            reported.add(pair)
            apart = following.opens - one.opens
            latest = clock_time(one.opens % MINUTES_A_DAY + apart)
            yield f"{one.name} and {following.name} overlap. Join them" + (
                f", or end the first by {latest}." if apart else "."
            )


def _name(span: OpeningHours) -> str:
    return _span(_WEEKDAYS[span.weekday], span.opens_minute, span.closes_minute)


def _span(name: str, opens: int, closes: int) -> str:
    return f"{name} {clock_time(opens)}-{clock_time(closes)}"
