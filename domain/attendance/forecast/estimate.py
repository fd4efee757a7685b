"""The expected occupancy of the week after an origin."""

import numpy as np

from domain.attendance.forecast.cleaning import Readings, clean_weeks, weeks_before
from domain.attendance.forecast.model import DAY_HOURS, WEEK_DAYS, WEEK_HOURS, Booleans, Floats
from domain.attendance.forecast.statistics import median, ratio, smoothed, weighted_mean, weighted_quantiles

# Tuned on origins of 2025 (docs/benchmarks.md).
HALF_LIFE_WEEKS = 6.0
MEDIAN_SHARE = 0.25
DAY_TYPE_SHARE = 0.10
WEEK_LEVEL = 0.14
LAST_DAY_LEVEL = 0.10
HOUR_OF_DAY = 0.23
ALL_GYMS_HOUR = 0.25
OWN_HOUR = 0.10
_LEAST_SHARE = 0.05  # of the mean: an hour with fewer people has no relative deviation of its own


def expected_week(readings: Readings, origin: int, workdays: Booleans) -> Floats:
    """The expected occupancy of the 168 hours from a midnight on, as if none of them were a holiday.

    The profile of the last weeks, plus a part of the last week's deviation from it: of the week's level, of the last
    day's, of each hour of day on workdays and at weekends, and of what all gyms had in common.

    Args:
        readings: of all gyms; only columns before `origin` are read.
        origin: column of the first hour.
        workdays: for each of the seven days, whether it is a workday.
    """
    weeks = clean_weeks(readings, origin)
    profile = _profile(weeks, workdays)
    usual = median(weeks_before(readings.values, origin), 1)
    profile = np.where(np.isnan(profile), np.nan_to_num(usual), profile)
    last = weeks[:, -1]
    deviation = last - profile
    least = np.maximum(_LEAST_SHARE * profile.mean(1, keepdims=True), 1e-9)
    relative = deviation / np.maximum(profile, least)
    common = np.nan_to_num(median(relative, 0))
    others = (len(profile) - 1) / len(profile)
    week = ratio(last, profile)[:, None] - 1
    day = ratio(last[:, -DAY_HOURS:], profile[:, -DAY_HOURS:])[:, None] - 1
    found = (
        profile * (1 + WEEK_LEVEL * week + LAST_DAY_LEVEL * day + ALL_GYMS_HOUR * others * common)
        + HOUR_OF_DAY * np.nan_to_num(_by_day_type(deviation, workdays))
        + OWN_HOUR * (1 - others) * smoothed(deviation)
    )
    return np.maximum(found, 0.0)


def _profile(weeks: Floats, workdays: Booleans) -> Floats:
    """The usual occupancy of each hour of week: recent weeks count more, and a single odd week counts little."""
    age = np.arange(weeks.shape[1])[::-1]
    weights = np.broadcast_to((0.5 ** (age / HALF_LIFE_WEEKS))[None, :, None], weeks.shape)
    mean = weighted_mean(weeks, weights, 1)
    shape = median(weeks, 1)[:, None]
    levels = ratio(weeks, np.broadcast_to(shape, weeks.shape))[:, :, None]
    relative = np.moveaxis(weeks / np.where(levels > 0, levels, np.nan), 1, -1)
    middle = weighted_quantiles(relative, np.moveaxis(weights, 1, -1), [0.5])[0]
    profile = mean + MEDIAN_SHARE * np.nan_to_num(middle - mean)
    typical = _by_day_type(profile, workdays)
    return np.asarray(profile + DAY_TYPE_SHARE * np.nan_to_num(typical - profile))


def _by_day_type(values: Floats, workdays: Booleans) -> Floats:
    """For each hour of week the mean of its hour of day over all workdays, or over the weekend."""
    days = values.reshape(len(values), WEEK_DAYS, DAY_HOURS)
    found = np.empty_like(days)
    for kind in (workdays, ~workdays):
        found[:, kind] = weighted_mean(days[:, kind], np.ones_like(days[:, kind]), 1)[:, None]
    return found.reshape(len(values), WEEK_HOURS)
