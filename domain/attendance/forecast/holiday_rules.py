"""Holidays: which days they are, and whether they are like Sundays."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import holidays as public_holidays
import numpy as np

from domain.attendance.forecast.cleaning import Readings
from domain.attendance.forecast.model import DAY_HOURS, WEEK_DAYS, Booleans, Calendar, Floats, History
from domain.attendance.forecast.statistics import median

_SUNDAY = 6
_COMPARED_WEEKS = 4
_EVES = ((12, 24), (12, 31))


@dataclass(frozen=True, slots=True)
class PastHoliday:
    """How far one past holiday, over all gyms, was from the usual Sunday and from the usual day of its weekday.

    Args:
        end: column of the hour after it.
        sunday_error: summed absolute difference from the median of the Sundays of four weeks.
        weekday_error: from the median of the same weekday of the four weeks before.
    """

    end: int
    sunday_error: float
    weekday_error: float


def calendar_of(country: str, subdivision: str | None, years: Iterable[int]) -> Calendar:
    """The public holidays of a country.

    Without a subdivision, a day counts that is a holiday in at least half of the country's subdivisions. 24 and 31
    December count where the next day is a holiday: gyms close early.

    Args:
        country: ISO 3166 code, like CH.
        subdivision: of ISO 3166-2 without the country, like ZH; None for the whole country.
        years: for which years.

    Raises:
        NotImplementedError: for a country or subdivision that the package `holidays` does not know.
    """
    years = list(years)
    everywhere = public_holidays.country_holidays(country, subdiv=subdivision, years=years)
    days = set(everywhere.keys())
    if subdivision is None and everywhere.subdivisions:
        counted = Counter(
            day
            for each in everywhere.subdivisions
            for day in public_holidays.country_holidays(country, subdiv=each, years=years)
        )
        days |= {day for day, number in counted.items() if 2 * number >= len(everywhere.subdivisions)}
    eves = {day - timedelta(days=1) for day in days}
    days |= {eve for eve in eves if (eve.month, eve.day) in _EVES}
    days |= {date(year, 12, 31) for year in years if date(year, 1, 1) in days}  # the next year may not be in `years`
    return Calendar(frozenset(days))


def past_holidays(history: History, readings: Readings) -> Sequence[PastHoliday]:
    """The holidays of the history that fell on another day than a Sunday."""
    found = []
    for day in range(_COMPARED_WEEKS * WEEK_DAYS, history.hours // DAY_HOURS):
        weekday = history.weekday(day)
        if not readings.holiday[day] or weekday == _SUNDAY:
            continue
        actual = _day(readings.values, day)
        sundays, weekdays = (_usual(readings.values, last) for last in (day - weekday - 1, day - WEEK_DAYS))
        both = ~np.isnan(actual) & ~np.isnan(sundays) & ~np.isnan(weekdays)
        errors = [float(np.abs(actual - usual)[both].sum()) for usual in (sundays, weekdays)]
        found.append(PastHoliday((day + 1) * DAY_HOURS, *errors))
    return found


def like_sundays(past: Sequence[PastHoliday], origin: int) -> bool:
    """Whether the holidays before an origin were nearer to a Sunday than to their weekday; true without any holiday."""
    known = [holiday for holiday in past if holiday.end <= origin]
    return sum(holiday.sunday_error for holiday in known) <= sum(holiday.weekday_error for holiday in known)


def source_days(weekdays: Sequence[int], holiday: Booleans) -> Sequence[int]:
    """Which of seven days from an origin each day to forecast is like: itself, or on a holiday the Sunday.

    Args:
        weekdays: of the days to forecast, Monday is 0.
        holiday: which of them are holidays.
    """
    sunday = (_SUNDAY - weekdays[0]) % WEEK_DAYS
    return [sunday if holiday[day] else day % WEEK_DAYS for day in range(len(weekdays))]


def _day(values: Floats, day: int) -> Floats:
    return values[:, day * DAY_HOURS : (day + 1) * DAY_HOURS]


def _usual(values: Floats, last_day: int) -> Floats:
    days = list(range(last_day, -1, -WEEK_DAYS))[:_COMPARED_WEEKS]
    return median(np.stack([_day(values, day) for day in days], axis=1), 1)
