"""Forecasts of one history from any origin. Nothing at or after the origin is read."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import numpy as np

from domain.attendance.forecast.bands import PAST_WEEKS, conformal_bands
from domain.attendance.forecast.cleaning import Readings, prepared, weeks_before
from domain.attendance.forecast.estimate import expected_week
from domain.attendance.forecast.holiday_rules import PastHoliday, like_sundays, past_holidays, source_days
from domain.attendance.forecast.model import (
    DAY_HOURS,
    LEAST_WEEKS,
    WEEK_DAYS,
    WEEK_HOURS,
    WINDOW_WEEKS,
    Bands,
    Booleans,
    Floats,
    Forecast,
    History,
)

_CALIBRATION_WEEKS = 2  # of history before a past forecast that bands are calibrated on
_HORIZON_DAYS = WEEK_DAYS + 1  # an origin in the middle of a day ends in the middle of the eighth


class Forecaster:
    """Makes forecasts, and keeps those of past weeks, which calibrate the bands of several origins.

    Args:
        history: it reaches at least to the midnight before each origin (`History.until`).
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._readings: Readings = prepared(history)
        self._weeks: dict[int, Floats] = {}

    def forecast(self, start: datetime, hours: int = WEEK_HOURS, open_hours: Booleans | None = None) -> Forecast:
        """The forecast of the hours from `start` on.

        The profile is computed at the midnight before `start`.

        Args:
            start: a full local hour.
            hours: 1 to 168.
            open_hours: `[gym, hour]` of these hours, false where the gym is closed; None where that is not known.
        """
        skipped = start.hour
        origin = self._history.position(start) - skipped
        known = self.known(origin)
        if not known.any():
            nothing = np.full((len(known), hours), np.nan)
            return Forecast(self._history.gyms, start, known, nothing, Bands(nothing, nothing, nothing, nothing))
        week = self._week(origin)
        bands = self._bands(origin, week)

        closed = np.isnan(weeks_before(self._readings.values, origin)).all(1)

        def finished(values: Floats) -> Floats:
            values = np.where(closed, 0.0, values)
            found = self._spread(values, origin, _HORIZON_DAYS)[:, skipped : skipped + hours]
            if self._history.capacity is not None:
                found = np.minimum(found, self._history.capacity[:, None])
            if open_hours is not None:
                found = np.where(open_hours, found, 0.0)
            return np.where(known[:, None], found, np.nan)

        limits = (bands.low_50, bands.high_50, bands.low_90, bands.high_90)
        return Forecast(self._history.gyms, start, known, finished(week), Bands(*map(finished, limits)))

    def known(self, origin: int, least_weeks: int = LEAST_WEEKS) -> Booleans:
        """Which gyms have enough history before an origin.

        The earliest observed day of the last twelve weeks lies at least `least_weeks` back, and at least as many of the
        weeks have an observed hour.
        """
        window = min(max(origin, 0), WINDOW_WEEKS * WEEK_HOURS) // DAY_HOURS
        values = self._readings.values[:, origin - window * DAY_HOURS : origin]
        days: Booleans = np.any(~np.isnan(values).reshape(len(values), window, DAY_HOURS), axis=2)
        padded = np.pad(days[:, ::-1], ((0, 0), (0, WINDOW_WEEKS * WEEK_DAYS - window)))
        weeks = padded.reshape(len(values), WINDOW_WEEKS, WEEK_DAYS).any(2).sum(1)
        reaches_back = padded[:, least_weeks * WEEK_DAYS - 1 :].any(1)
        return np.asarray(reaches_back & (weeks >= least_weeks))

    @cached_property
    def _past_holidays(self) -> Sequence[PastHoliday]:
        return past_holidays(self._history, self._readings)

    def _bands(self, origin: int, week: Floats) -> Bands:
        """The bands of a week as if without holidays, from forecasts of the weeks before."""
        past = range(origin - WEEK_HOURS, _CALIBRATION_WEEKS * WEEK_HOURS - 1, -WEEK_HOURS)[:PAST_WEEKS]
        if not past:
            none = np.full((1, *week.shape), np.nan)
            return conformal_bands(week, none, none)
        expected = [self._spread(self._week(each), each, WEEK_DAYS) for each in past]
        actual = [
            np.where(
                self.known(each, _CALIBRATION_WEEKS)[:, None],
                self._readings.values[:, each : each + WEEK_HOURS],
                np.nan,
            )
            for each in past
        ]
        return conformal_bands(week, np.stack(expected), np.stack(actual))

    def _week(self, origin: int) -> Floats:
        """The week from a midnight on, as if without holidays."""
        if origin not in self._weeks:
            first_day = origin // DAY_HOURS
            workdays = np.array([self._history.weekday(first_day + day) < WEEK_DAYS - 2 for day in range(WEEK_DAYS)])
            self._weeks[origin] = expected_week(self._readings, origin, workdays)
        return self._weeks[origin]

    def _spread(self, week: Floats, origin: int, days: int) -> Floats:
        """A week's values for the days to forecast, with the Sunday's on holidays."""
        first = origin // DAY_HOURS
        weekdays = [self._history.weekday(first + day) for day in range(days)]
        holiday = self._history.calendar.days(self._history.hour(origin).date(), days)
        if not like_sundays(self._past_holidays, origin):
            holiday = np.zeros_like(holiday)
        by_day = week.reshape(len(week), WEEK_DAYS, DAY_HOURS)[:, source_days(weekdays, holiday)]
        return by_day.reshape(len(week), days * DAY_HOURS)
