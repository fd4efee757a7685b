"""The bands around a forecast: conformal, from how far the forecasts of past weeks were from what came."""

import numpy as np

from domain.attendance.forecast.model import Bands, Floats
from domain.attendance.forecast.statistics import weighted_mean, weighted_quantiles

# Tuned on origins of 2025 (docs/benchmarks.md).
PAST_WEEKS = 16
HALF_LIFE_WEEKS = 8.0
POWER = 0.5
HOUR_WEIGHT_WEEKS = 10.0
OTHERS_SHARE = 0.2
_FLOOR = 0.03
_PROBABILITIES = (0.25, 0.75, 0.05, 0.95)
_UNCALIBRATED = (-0.15, 0.15, -0.5, 0.5)  # where no past week was observed at all


def conformal_bands(expected: Floats, past_expected: Floats, past_actual: Floats) -> Bands:
    """Bands that would have held their share of the past weeks.

    A score is a past error divided by the scale of its hour. The limits are quantiles of the gym's scores, drawn a
    little towards those of the other gyms, times the scale of the hour to forecast.

    Args:
        expected: `[gym, hour of week]` of the week to forecast.
        past_expected: `[week, gym, hour of week]` forecasts of past weeks, the latest first, each made before its week.
        past_actual: what came; NaN where it was not observed, or where the gym had no forecast.
    """
    level = np.maximum(expected.mean(1), 1e-9)
    errors = past_actual - past_expected
    weights = np.broadcast_to((0.5 ** (np.arange(len(errors)) / HALF_LIFE_WEEKS))[:, None, None], errors.shape)
    base = _scales(past_expected, level)
    factor = _hour_factors(errors / base, weights)
    scores = np.moveaxis(errors / (base * factor), 1, 0).reshape(len(level), -1)
    score_weights = np.moveaxis(weights, 1, 0).reshape(len(level), -1)
    scale = _scales(expected, level) * factor
    low_50, high_50, low_90, high_90 = (
        np.maximum(expected + scale * limit[:, None], 0.0) for limit in _limits(scores, score_weights)
    )
    low_50, high_50 = np.minimum(low_50, expected), np.maximum(high_50, expected)
    return Bands(low_50, high_50, np.minimum(low_90, low_50), np.maximum(high_90, high_50))


def _limits(scores: Floats, weights: Floats) -> Floats:
    """The quantiles of each gym's scores, drawn towards the mean of all gyms' quantiles: `[limit, gym]`."""
    own = weighted_quantiles(scores, weights, _PROBABILITIES)
    all_gyms = weighted_mean(own, np.ones_like(own), 1)
    all_gyms = np.where(np.isnan(all_gyms), _UNCALIBRATED, all_gyms)[:, None]
    return np.asarray((1 - OTHERS_SHARE) * np.where(np.isnan(own), all_gyms, own) + OTHERS_SHARE * all_gyms)


def _scales(expected: Floats, level: Floats) -> Floats:
    """How far hours usually are from their expectation, up to a factor per gym: it grows with the number of people."""
    return np.asarray(level[:, None] * (expected / level[:, None] + _FLOOR) ** POWER)


def _hour_factors(scores: Floats, weights: Floats) -> Floats:
    """How much larger or smaller an hour of week's errors are than the gym's; near 1 where little is known."""
    present = ~np.isnan(scores)
    weight = (present * weights).sum(0)
    size = np.where(present, np.abs(scores) * weights, 0.0).sum(0)
    near_weight, near_size = (np.roll(each, 1, -1) + each + np.roll(each, -1, -1) for each in (weight, size))
    total = weight.sum(-1, keepdims=True)
    mean = size.sum(-1, keepdims=True) / np.where(total > 0, total, 1.0)
    blended = (near_size + HOUR_WEIGHT_WEEKS * mean) / (near_weight + HOUR_WEIGHT_WEEKS)
    return np.asarray(np.where(mean > 0, blended / np.where(mean > 0, mean, 1.0), 1.0))
