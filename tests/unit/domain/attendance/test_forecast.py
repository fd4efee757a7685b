"""The forecast on generated data."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attendance.forecast.forecaster import Forecaster
from domain.attendance.forecast.model import Calendar, Floats, Forecast, History
from tests.unit.domain.attendance.generated import after, history, values

SUNDAY = slice(6 * 24, 7 * 24)


def limits(forecast: Forecast) -> list[Floats]:
    """From the lowest to the highest."""
    bands = forecast.bands
    return [bands.low_90, bands.low_50, forecast.expected, bands.high_50, bands.high_90]


def forecast_of(found: History, weeks: int, hours: int = 168) -> Forecast:
    return Forecaster(found.until(after(weeks))).forecast(after(weeks), hours)


def test_a_regular_week_is_forecast_as_it_is() -> None:
    found = forecast_of(history(weeks=12, noise=0.0), 12)
    assert np.allclose(found.expected, values(1, noise=0.0), atol=1e-6)


def test_noise_is_averaged_out() -> None:
    found = forecast_of(history(weeks=12, noise=0.2), 12)
    usual = values(1, noise=0.0)
    assert np.abs(found.expected - usual).sum() < 0.5 * np.abs(values(1, noise=0.2, seed=9) - usual).sum()


def test_closed_hours_are_zero_with_their_bands() -> None:
    found = forecast_of(history(), 16)
    closed = values(1, noise=0.0) == 0
    assert all(np.all(each[closed] == 0) for each in limits(found))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    weeks=st.integers(3, 20),
    noise=st.floats(0, 2),
    gaps=st.floats(0, 0.9),
    skipped=st.integers(0, 23),
)
def test_bands_are_nested_and_not_negative(seed: int, weeks: int, noise: float, gaps: float, skipped: int) -> None:
    found = history(weeks, noise=noise, seed=seed)
    seen = np.random.default_rng(seed).random(found.values.shape) >= gaps
    start = after(weeks) + timedelta(hours=skipped)
    made = Forecaster(replace(found, observed=found.observed & seen).until(start)).forecast(start)
    ordered = [each[made.known] for each in limits(made)]
    assert all(np.all(low <= high) for low, high in pairwise(ordered))
    assert np.all(ordered[0] >= 0)
    assert all(np.all(np.isfinite(each)) for each in ordered)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), hour=st.integers(13 * 168, 16 * 168))
def test_no_hour_from_the_origin_on_is_read(seed: int, hour: int) -> None:
    found = history(weeks=20, seed=seed)
    start = found.hour(hour)
    changed = found.values.copy()
    changed[:, hour:] = np.random.default_rng(seed).random(changed[:, hour:].shape) * 1000
    other = replace(
        found, values=changed, observed=np.where(np.arange(found.hours) < hour, found.observed, changed > 500)
    )
    for one, two in zip(
        limits(Forecaster(found).forecast(start)), limits(Forecaster(other).forecast(start)), strict=True
    ):
        assert np.array_equal(one, two)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_another_unit_of_counting_scales_the_forecast(seed: int, factor: float) -> None:
    found = history(seed=seed)
    scaled = forecast_of(replace(found, values=found.values * factor), 16)
    for one, two in zip(limits(forecast_of(found, 16)), limits(scaled), strict=True):
        assert np.allclose(one * factor, two, rtol=1e-6)


@pytest.mark.parametrize(("days", "known"), [(20, False), (21, True)])
def test_less_than_three_weeks_are_no_forecast(days: int, known: bool) -> None:  # noqa: FBT001 - a case
    found = history(weeks=12)
    young = found.observed.copy()
    young[1, : -24 * days] = False
    made = forecast_of(replace(found, observed=young), 12)
    assert made.known.tolist() == [True, known]
    assert np.isnan(made.expected[1]).all() != known


def test_a_history_of_days_has_no_forecast() -> None:
    found = history(weeks=1)
    made = forecast_of(found, 1)
    assert not made.known.any()


def test_a_holiday_is_like_a_sunday_and_is_not_learnt_from() -> None:
    found = history(noise=0.0)
    wednesday = after(16) + timedelta(days=2)
    past = after(14) + timedelta(days=1)
    odd = found.values.copy()
    hour = found.position(past)
    odd[:, hour : hour + 24] = found.values[:, SUNDAY] * 1.01
    calendar = Calendar(frozenset({wednesday.date(), past.date()}))
    made = forecast_of(replace(found, values=odd, observed=odd > 0, calendar=calendar), 16)
    usual = values(1, noise=0.0)
    assert np.allclose(made.expected[:, 48:72], usual[:, SUNDAY], rtol=1e-6)
    assert np.allclose(made.expected[:, 24:48], usual[:, 24:48], rtol=1e-6)


def test_holidays_that_were_usual_days_stay_usual_days() -> None:
    found = history(noise=0.0)
    past, coming = after(14) + timedelta(days=1), after(16) + timedelta(days=2)
    made = forecast_of(replace(found, calendar=Calendar(frozenset({past.date(), coming.date()}))), 16)
    assert np.allclose(made.expected, values(1, noise=0.0), rtol=1e-6)


def test_a_stuck_counter_is_not_learnt_from() -> None:
    found = history(noise=0.0)
    stuck = found.values.copy()
    stuck[:, -72:] = 200.0
    made = forecast_of(replace(found, values=stuck, observed=np.ones_like(found.observed) & (stuck > 0)), 16)
    open_hours = values(1, noise=0.0) > 0
    assert np.allclose(made.expected[open_hours], values(1, noise=0.0)[open_hours], rtol=1e-6)


def test_a_closed_week_is_not_learnt_from_and_a_lasting_change_is() -> None:
    found = history(noise=0.0)
    usual = values(1, noise=0.0)
    low = found.values.copy()
    low[:, -7 * 24 : -2 * 24] *= 0.02
    assert np.allclose(forecast_of(replace(found, values=low), 16).expected, usual, rtol=1e-6)
    lasting = found.values.copy()
    lasting[:, -8 * 168 :] *= 0.3
    assert np.allclose(forecast_of(replace(found, values=lasting), 16).expected.sum(), 0.3 * usual.sum(), rtol=0.25)


def test_the_forecast_follows_a_new_level() -> None:
    found = history(noise=0.0)
    raised = found.values.copy()
    raised[:, -168:] *= 1.2
    made = forecast_of(replace(found, values=raised), 16)
    share = made.expected.sum() / values(1, noise=0.0).sum()
    assert 1.08 < share < 1.2


def test_nothing_exceeds_the_capacity() -> None:
    found = history()
    made = forecast_of(replace(found, capacity=np.array([30.0, np.inf])), 16)
    assert all(np.all(each[0] <= 30.0) for each in limits(made))
    assert made.expected[1].max() > 30.0


def test_hours_that_the_timetable_closes_are_zero() -> None:
    open_hours = np.ones((2, 168), dtype=np.bool_)
    open_hours[0, 18] = False
    made = Forecaster(history().until(after(16))).forecast(after(16), open_hours=open_hours)
    assert all(each[0, 18] == 0 for each in limits(made))
    assert made.expected[1, 18] > 0


def test_an_origin_within_a_day_starts_at_its_hour() -> None:
    found = history(noise=0.0).until(after(17))
    start = after(16) + timedelta(hours=13)
    made = Forecaster(found).forecast(start)
    assert np.allclose(made.expected, np.roll(values(1, noise=0.0), -13, axis=1), atol=1e-6)


def test_one_gym_alone_and_a_gym_without_any_reading_have_bands_or_nothing() -> None:
    alone = forecast_of(history(gyms=1), 16)
    assert np.all(alone.bands.high_90 >= alone.expected)
    found = history()
    silent = found.observed.copy()
    silent[1] = False
    made = forecast_of(replace(found, observed=silent), 16)
    assert made.known.tolist() == [True, False]
