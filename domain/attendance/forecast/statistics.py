"""Weighted means, medians and quantiles of arrays with gaps (NaN)."""

from collections.abc import Sequence

import numpy as np

from domain.attendance.forecast.model import Floats


def weighted_mean(values: Floats, weights: Floats, axis: int) -> Floats:
    """The mean along an axis, without gaps; NaN where there are only gaps."""
    present = ~np.isnan(values)
    total = (present * weights).sum(axis)
    summed = np.where(present, values * weights, 0.0).sum(axis)
    return np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)


def weighted_quantiles(values: Floats, weights: Floats, probabilities: Sequence[float]) -> Floats:
    """The quantiles along the last axis, without gaps: `[probability, ...]`; NaN where there are only gaps."""
    weights = np.where(np.isnan(values), 0.0, weights)
    order = np.argsort(values, axis=-1)  # gaps last
    sorted_values = np.take_along_axis(values, order, -1)
    summed = np.cumsum(np.take_along_axis(weights, order, -1), axis=-1)
    total = summed[..., -1:]
    found = []
    for probability in probabilities:
        first = ((summed >= probability * total * (1 - 1e-9)) & (summed > 0)).argmax(-1)[..., None]
        found.append(np.where(total > 0, np.take_along_axis(sorted_values, first, -1), np.nan)[..., 0])
    return np.stack(found)


def median(values: Floats, axis: int) -> Floats:
    """The median along an axis, without gaps; NaN where there are only gaps."""
    moved = np.sort(np.moveaxis(values, axis, -1), axis=-1)  # gaps last
    number = (~np.isnan(moved)).sum(-1, keepdims=True)
    low = np.take_along_axis(moved, np.maximum((number - 1) // 2, 0), -1)
    high = np.take_along_axis(moved, np.minimum(number // 2, moved.shape[-1] - 1), -1)
    return np.where(number > 0, (low + high) / 2, np.nan)[..., 0]


def ratio(values: Floats, expected: Floats, axis: int | tuple[int, ...] = -1) -> Floats:
    """What was there for each one that was expected, over all hours that have both; 1 where none has."""
    both = ~np.isnan(values) & ~np.isnan(expected)
    expected_sum = np.where(both, expected, 0.0).sum(axis)
    values_sum = np.where(both, values, 0.0).sum(axis)
    return np.where(expected_sum > 0, values_sum / np.where(expected_sum > 0, expected_sum, 1.0), 1.0)


def smoothed(values: Floats) -> Floats:
    """Values with a quarter of each neighbour along the last axis; a gap counts as 0."""
    filled = np.nan_to_num(values)
    return np.asarray((np.roll(filled, 1, -1) + 2 * filled + np.roll(filled, -1, -1)) / 4)
