"""How good the forecast would have been: forecasts from past origins, compared with what came and with a naive one.

The naive forecast of an hour is the value of the same hour a week before. MASE is the mean absolute error of the
forecast divided by that of the naive forecast, on the same points.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, time, timedelta

import numpy as np

from domain.attendance.forecast.forecaster import Forecaster
from domain.attendance.forecast.model import WEEK_HOURS, WINDOW_WEEKS, Booleans, Floats, History

_STEP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Sums:
    """What is added up over the points of a gym. A point is an observed hour with a value a week before.

    Args:
        points: their number.
        error: sum of the forecast's absolute errors.
        naive_error: of the naive forecast's.
        inside_50: points within the band of 50 %.
        inside_90: points within the band of 90 %.
        strict_points: points whose hour a week before was observed too.
        strict_error: the forecast's errors on them.
        strict_naive_error: the naive forecast's errors on them.
    """

    points: float = 0
    error: float = 0
    naive_error: float = 0
    inside_50: float = 0
    inside_90: float = 0
    strict_points: float = 0
    strict_error: float = 0
    strict_naive_error: float = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Score:
    """The result for one gym, or for all. A value is None where it is not defined.

    Args:
        points: number of hours that were compared.
        mae: mean absolute error, in people.
        naive_mae: of the naive forecast.
        mase: `mae / naive_mae`.
        mase_observed: the same, on the points only whose hour a week before was observed too.
        coverage_50: share of the points within the band of 50 %.
        coverage_90: share of the points within the band of 90 %.
    """

    points: int
    mae: float | None
    naive_mae: float | None
    mase: float | None
    mase_observed: float | None
    coverage_50: float | None
    coverage_90: float | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """Scores of all origins together.

    Args:
        origins: the first hours of the forecasts.
        gyms: their scores, by name. A gym that never had enough history has no points.
        pooled: over the points of all gyms.
        mean: of the gyms' scores, of those that have one.
    """

    origins: Sequence[datetime]
    gyms: dict[str, Score]
    pooled: Score
    mean: Score


def backtest(history: History, since: datetime | None = None) -> Backtest:
    """Forecast 168 hours from an origin every seven days, and score them.

    Args:
        history: what was, also after each origin; a forecast reads what lies before its origin only.
        since: the first origin, at midnight; by default twelve weeks after the first hour.
    """
    forecaster = Forecaster(history)
    origins = list(_origins(history, since))
    sums = [Sums() for _ in history.gyms]
    for origin in origins:
        sums = [total + more for total, more in zip(sums, _scored(history, forecaster, origin), strict=True)]
    pooled = Sums()
    for each in sums:
        pooled += each
    scores = {gym: _score(each) for gym, each in zip(history.gyms, sums, strict=True)}
    return Backtest(origins, scores, _score(pooled), _mean(list(scores.values())))


def _origins(history: History, since: datetime | None) -> Iterator[datetime]:
    origin = datetime.combine(since, time()) if since else history.start + timedelta(weeks=WINDOW_WEEKS)
    end = history.hour(history.hours)
    while origin < end:
        # An origin without a week before it has neither a forecast nor a naive one.
        if history.position(origin) >= WEEK_HOURS:
            yield origin
        origin += _STEP


def _scored(history: History, forecaster: Forecaster, origin: datetime) -> Iterator[Sums]:
    first = history.position(origin)
    hours = min(WEEK_HOURS, history.hours - first)
    forecast = forecaster.forecast(origin, hours)
    now, before = slice(first, first + hours), slice(first - WEEK_HOURS, first - WEEK_HOURS + hours)
    actual, naive = history.values[:, now], history.values[:, before]
    counts = history.observed[:, now] & ~np.isnan(actual) & ~np.isnan(naive) & forecast.known[:, None]
    strict = counts & history.observed[:, before]
    error, naive_error = np.abs(actual - forecast.expected), np.abs(actual - naive)
    bands = forecast.bands
    inside_50 = (actual >= bands.low_50) & (actual <= bands.high_50)
    inside_90 = (actual >= bands.low_90) & (actual <= bands.high_90)

    def total(values: Floats | Booleans, where: Booleans) -> Floats:
        return np.asarray(np.where(where, values, 0).sum(1), dtype=np.float64)

    columns = (
        total(counts, counts),
        total(error, counts),
        total(naive_error, counts),
        total(inside_50, counts),
        total(inside_90, counts),
        total(strict, strict),
        total(error, strict),
        total(naive_error, strict),
    )
    return (Sums(*map(float, row)) for row in zip(*columns, strict=True))


def _score(sums: Sums) -> Score:
    return Score(
        points=int(sums.points),
        mae=_ratio(sums.error, sums.points),
        naive_mae=_ratio(sums.naive_error, sums.points),
        mase=_ratio(sums.error, sums.naive_error),
        mase_observed=_ratio(sums.strict_error, sums.strict_naive_error),
        coverage_50=_ratio(sums.inside_50, sums.points),
        coverage_90=_ratio(sums.inside_90, sums.points),
    )


def _mean(scores: Sequence[Score]) -> Score:
    def mean(name: str) -> float | None:
        values = [getattr(score, name) for score in scores if getattr(score, name) is not None]
        return _ratio(sum(values), len(values))

    names = [each.name for each in fields(Score)][1:]
    return Score(sum(score.points for score in scores), *(mean(name) for name in names))


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
