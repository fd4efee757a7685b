"""What the forecast reads and returns. Arrays are `[gym, hour]`; an hour is an hour of the gym's own clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

DAY_HOURS = 24
WEEK_DAYS = 7
WEEK_HOURS = 168
WINDOW_WEEKS = 12
"""The forecast reads so many weeks before its origin."""
LEAST_WEEKS = 3
"""A gym with less history has no forecast."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Public holidays.

    Args:
        holidays: days that are left out of the history, and whose forecast is that of a Sunday.
    """

    holidays: frozenset[date] = frozenset()

    def days(self, first: date, number: int) -> Booleans:
        """Which of `number` days from `first` on are holidays."""
        return np.array([first + timedelta(days=day) in self.holidays for day in range(number)], dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class History:
    """Hourly mean occupancy of gyms on one grid of local hours, without gaps.

    Args:
        gyms: their names, the rows of the arrays.
        start: the first hour, at midnight.
        values: mean number of people inside; NaN where there is none. Whole days.
        observed: where the value was measured. Others are neither learnt from nor scored.
        calendar: public holidays of the history and of the hours to forecast.
        capacity: the most people that each gym admits; inf for no limit.
    """

    gyms: Sequence[str]
    start: datetime
    values: Floats
    observed: Booleans
    calendar: Calendar = field(default_factory=Calendar)
    capacity: Floats | None = None

    @property
    def hours(self) -> int:
        """The length of the grid."""
        return int(self.values.shape[1])

    def position(self, hour: datetime) -> int:
        """The column of a local hour; negative or past the end outside of the history."""
        return int((hour - self.start) // timedelta(hours=1))

    def weekday(self, day: int) -> int:
        """The weekday of a day after the start; Monday is 0."""
        return (self.start + timedelta(days=day)).weekday()

    def until(self, end: datetime) -> "History":
        """The same history, longer by hours without values, so that it reaches to `end` at least."""
        missing = -(-(self.position(end) - self.hours) // DAY_HOURS) * DAY_HOURS
        if missing <= 0:
            return self
        wider = ((0, 0), (0, missing))
        values = np.pad(self.values, wider, constant_values=np.nan)
        return replace(self, values=values, observed=np.pad(self.observed, wider))

    def hour(self, position: int) -> datetime:
        """The local hour of a column."""
        return self.start + timedelta(hours=position)


@dataclass(frozen=True, slots=True)
class Bands:
    """The limits of two bands: half of the hours should lie within the first, nine of ten within the second."""

    low_50: Floats
    high_50: Floats
    low_90: Floats
    high_90: Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected occupancy of the hours from `start` on.

    Args:
        gyms: the rows of the arrays.
        start: the first hour.
        known: which gyms have enough history. The others' values are NaN.
        expected: the median of what is likely, at least 0 and at most the capacity.
        bands: around it.
    """

    gyms: Sequence[str]
    start: datetime
    known: Booleans
    expected: Floats
    bands: Bands
