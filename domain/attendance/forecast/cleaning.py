"""Which hours of the history are not learnt from: holidays, stuck counters, days closed by way of exception."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from domain.attendance.forecast.model import DAY_HOURS, WEEK_DAYS, WEEK_HOURS, WINDOW_WEEKS, Booleans, Floats, History
from domain.attendance.forecast.statistics import median, ratio

_Scalar = TypeVar("_Scalar", bound=np.generic)

_STUCK_HOURS = 4
_STUCK_DEVIATION = 0.25
_LOW_DAY = 0.5
_LASTING_DAYS = 10
_RECENT_DAYS = 14


@dataclass(frozen=True, slots=True)
class Readings:
    """A history prepared once for all origins. What is said of an hour depends on no later hour than its day's last.

    Args:
        values: observed values, NaN elsewhere.
        holiday: which days are holidays.
        unchanged: the number of hours for which the value had been the same, this hour included.
    """

    values: Floats
    holiday: Booleans
    unchanged: Floats


def prepared(history: History) -> Readings:
    """The readings of a history."""
    values = np.where(history.observed, history.values, np.nan)
    holiday = history.calendar.days(history.start.date(), history.hours // DAY_HOURS)
    return Readings(values, holiday, _unchanged(values))


def weeks_before(array: NDArray[_Scalar], origin: int, weeks: int = WINDOW_WEEKS) -> NDArray[_Scalar]:
    """The last whole weeks before an origin, the oldest first: `[gym, week, hour of week]`."""
    weeks = min(weeks, origin // WEEK_HOURS)
    return array[:, origin - weeks * WEEK_HOURS : origin].reshape(len(array), weeks, WEEK_HOURS)


def clean_weeks(readings: Readings, origin: int) -> Floats:
    """The weeks before an origin, with gaps for all that is not a usual day."""
    weeks = weeks_before(readings.values, origin)
    holiday = weeks_before(np.repeat(readings.holiday, DAY_HOURS)[None], origin)
    weeks = np.where(holiday, np.nan, weeks)
    usual = median(weeks, 1)[:, None]
    return _without_low_days(_without_stuck_hours(weeks, usual, readings, origin), usual)


def _unchanged(values: Floats) -> Floats:
    positions = np.arange(values.shape[1])
    same = np.zeros(values.shape, dtype=np.bool_)
    same[:, 1:] = np.isclose(values[:, 1:], values[:, :-1], rtol=1e-6, atol=0.0)
    last_change = np.maximum.accumulate(np.where(same, 0, positions), axis=1)
    return np.asarray(positions - last_change + 1, dtype=np.float64)


def _without_stuck_hours(weeks: Floats, usual: Floats, readings: Readings, origin: int) -> Floats:
    """Leave out runs of equal values that are far from usual. Every hour of a run goes, also its first ones."""
    first = origin - weeks.shape[1] * WEEK_HOURS
    unchanged = readings.unchanged[:, first:origin]
    stuck = unchanged >= _STUCK_HOURS
    for earlier in range(1, _STUCK_HOURS):
        ends = np.zeros_like(stuck)
        ends[:, :-earlier] = unchanged[:, earlier:] == _STUCK_HOURS
        stuck |= ends
    far = np.abs(weeks - usual) > _STUCK_DEVIATION * usual
    return np.where(stuck.reshape(weeks.shape) & far, np.nan, weeks)


def _without_low_days(weeks: Floats, usual: Floats) -> Floats:
    """Leave out days with less than half of their usual sum, unless most days of the last two weeks are like that."""
    gyms, number, _ = weeks.shape
    shape = (gyms, number, WEEK_DAYS, DAY_HOURS)
    low = ratio(weeks.reshape(shape), np.broadcast_to(usual, weeks.shape).reshape(shape)) < _LOW_DAY
    lasting = low.reshape(gyms, -1)[:, -_RECENT_DAYS:].sum(1) >= _LASTING_DAYS
    leave_out = np.repeat(low & ~lasting[:, None, None], DAY_HOURS, axis=2).reshape(weeks.shape)
    return np.where(leave_out, np.nan, weeks)
