"""The backtest on generated data."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from domain.attendance.forecast.backtest import backtest
from tests.unit.domain.attendance.generated import MONDAY, after, history


def test_origins_are_seven_days_apart_from_twelve_weeks_on() -> None:
    assert backtest(history(weeks=15)).origins == [after(12), after(13), after(14)]


def test_since_names_the_first_origin() -> None:
    day = after(13) + timedelta(days=2)
    assert backtest(history(weeks=16), day).origins == [day + timedelta(weeks=week) for week in range(3)]
    assert backtest(history(weeks=16), MONDAY - timedelta(days=7)).origins[0] == after(1)


def test_scores_are_those_of_the_definition() -> None:
    found = history(weeks=13, gyms=3)
    score = backtest(found).gyms["Gym 1"]
    assert score.naive_mae is not None
    assert score.mae is not None
    last = found.observed[1, -168:]
    naive = np.abs(found.values[1, -168:] - found.values[1, -336:-168])[last].mean()
    assert score.points == last.sum()
    assert score.naive_mae == pytest.approx(naive)
    assert score.mase == pytest.approx(score.mae / naive)


def test_pooled_counts_hours_and_mean_counts_gyms() -> None:
    result = backtest(history(weeks=14, gyms=3))
    scores = list(result.gyms.values())
    assert result.pooled.mae == pytest.approx(
        sum(score.points * (score.mae or 0) for score in scores) / sum(score.points for score in scores)
    )
    assert result.mean.mase == pytest.approx(sum(score.mase or 0 for score in scores) / 3)


def test_bands_hold_their_share_and_the_naive_forecast_is_beaten() -> None:
    result = backtest(history(weeks=40, gyms=4, noise=0.25)).pooled
    assert result.mase is not None
    assert result.coverage_50 is not None
    assert result.coverage_90 is not None
    assert result.mase < 0.85
    assert 0.45 < result.coverage_50 < 0.56
    assert 0.86 < result.coverage_90 < 0.94


def test_only_observed_hours_are_points() -> None:
    found = history(weeks=14)
    some = found.observed.copy()
    some[0, -168:] = False
    result = backtest(replace(found, observed=some))
    assert result.gyms["Gym 0"].points == found.observed[0, -336:-168].sum()


def test_an_unobserved_hour_a_week_before_counts_for_mase_and_not_for_mase_observed() -> None:
    found = history(weeks=13)
    some, gap = found.observed.copy(), found.values.copy()
    some[0, -336:-168] = False
    gap[0, -336:-168] = 0.0
    score = backtest(replace(found, observed=some, values=gap)).gyms["Gym 0"]
    assert score.mase is not None
    assert score.mase_observed is None


def test_what_is_not_defined_is_none() -> None:
    result = backtest(history(weeks=2))
    assert result.origins == []
    assert result.pooled.mase is None
    found = history(weeks=13, noise=0.0)
    assert backtest(found).pooled.mase is None  # the naive forecast makes no error
