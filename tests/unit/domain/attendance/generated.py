"""Generated occupancy: a daily curve, calmer weekends, noise of a seed. Closed from 23 to 6."""

from datetime import date, datetime, timedelta

import numpy as np

from domain.attendance.forecast.model import DAY_HOURS, Calendar, Floats, History

MONDAY = datetime.fromisoformat("2025-03-03")
_OPENS, _CLOSES = 6, 23


def values(weeks: int, gyms: int = 2, noise: float = 0.1, seed: int = 1) -> Floats:
    """`[gym, hour]`, from a Monday on."""
    hours = np.arange(weeks * 168)
    of_day, day = hours % DAY_HOURS, hours // DAY_HOURS % 7
    curve = 10 + 40 * np.exp(-(((of_day - 18) / 3.0) ** 2)) + 20 * np.exp(-(((of_day - 9) / 2.0) ** 2))
    curve = np.where(day >= 5, 0.6 * curve, curve)
    curve = np.where((of_day < _OPENS) | (of_day >= _CLOSES), 0.0, curve)
    sizes = np.arange(1, gyms + 1)[:, None]
    drawn = np.random.default_rng(seed).normal(1.0, noise, (gyms, len(hours)))
    return np.maximum(curve * sizes * drawn, 0.0)


def history(
    weeks: int = 16, gyms: int = 2, noise: float = 0.1, seed: int = 1, holidays: frozenset[date] = frozenset()
) -> History:
    """A history of generated values; hours with people are observed, closed ones are not."""
    made = values(weeks, gyms, noise, seed)
    names = [f"Gym {number}" for number in range(gyms)]
    return History(names, MONDAY, made, made > 0, Calendar(holidays))


def after(weeks: int) -> datetime:
    """The first hour after so many weeks."""
    return MONDAY + timedelta(weeks=weeks)
