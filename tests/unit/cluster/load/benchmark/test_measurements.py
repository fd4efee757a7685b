"""Rates, latencies and costs of one measurement."""

import os

import pytest

from cluster.load.benchmark.measurements import Measured, Rate, offered_figures, rate_of, unexpected
from cluster.load.benchmark.processes import ProcessUse
from cluster.load.figures import percentile, ratio, rounded
from cluster.load.generator import Answer, JobResult


def test_a_rate_counts_what_was_answered_before_the_end() -> None:
    lanes = [
        [Answer(0.0, 0.010, 200, b""), Answer(0.5, 0.020, 200, b""), Answer(1.9, 0.2, 200, b"")],
        [Answer(0.0, 0.030, 503, b""), Answer(1.0, 0.1, 0, b"connection lost")],
    ]
    before = {(1, 0.0): ProcessUse("gateway", 5.0)}
    after = {(1, 0.0): ProcessUse("gateway", 5.3), (2, 1.0): ProcessUse("gateway", 0.3)}
    rate = rate_of(Measured(JobResult(0.0, 2.0, 0.15, lanes, ran_out=False), before, after, busy_s=0.6), errors=2)
    assert (rate.per_second, rate.answered, rate.errors) == (1.5, 3, 2)
    assert (rate.p50_ms, rate.p99_ms) == (20.0, 30.0)
    assert rate.cpu_ms == pytest.approx({"gateway": 200.0, "load_generator": 50.0})
    assert rate.processes == {"gateway": 2}
    assert rate.others_share == 0


def test_nothing_answered_is_a_rate_of_zero() -> None:
    rate = rate_of(Measured(JobResult(0.0, 2.0, 0.0, [[]], ran_out=False), {}, {}, 0.0), errors=0)
    assert (rate.per_second, rate.p50_ms, rate.p99_ms) == (0.0, 0.0, 0.0)


def test_a_noop_that_says_something_else_is_an_error() -> None:
    lane = [Answer(0, 0, 200, b"ok"), Answer(0, 0, 200, b"no"), Answer(0, 0, 500, b"ok"), Answer(0, 0, 0, b"")]
    assert (unexpected([lane], b"ok"), unexpected([lane])) == (3, 2)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles_are_nearest_ranks(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value


def test_the_cpu_share_of_other_programs_is_reported() -> None:
    before, after = {(1, 0.0): ProcessUse("gateway", 0.0)}, {(1, 0.0): ProcessUse("gateway", 1.0)}
    lanes = [[Answer(0.0, 0.01, 200, b"")]]
    rate = rate_of(Measured(JobResult(0.0, 2.0, 0.5, lanes, ran_out=False), before, after, busy_s=2.5), errors=0)
    assert rate.others_share == pytest.approx(1.0 / (2.0 * (os.cpu_count() or 1)))


def test_the_cost_of_all_leaves_the_generator_and_idle_noops_out() -> None:
    cpu = {"gateway": 0.5, "kafka": 0.25, "load_generator": 9.0, "lean_noop": 4.0}
    rate = Rate(1.0, 1, 1.0, 1.0, 0, cpu, {}, 0.0)
    assert rate.cpu_ms_of_all(("lean_noop",)) == 0.75
    assert rate.cpu_ms_of_all() == 4.75


def test_nothing_for_nothing_is_no_ratio() -> None:
    assert (ratio(1.0, 2.0), ratio(1.0, 0.0)) == (0.5, 0.0)


def test_a_request_that_waited_for_its_lane_has_waited() -> None:
    lane = [Answer(0.0, 0.5, 200, b""), Answer(0.5, 0.01, 200, b"", late=0.4), Answer(0.51, 0.01, 200, b"", late=0.31)]
    found = offered_figures([lane, [Answer(0.05, 0.002, 200, b"")]], errors=0)
    assert (found["asked"], found["errors"]) == (4, 0)
    assert (found["p50_ms"], found["p99_ms"], found["most_ms"]) == pytest.approx((320.0, 500.0, 500.0))
    assert found["late_share"] == 0.5


def test_nothing_sent_is_nothing() -> None:
    found = offered_figures([[]], errors=3)
    assert (found["asked"], found["p99_ms"], found["errors"]) == (0, 0.0, 3)


def test_fractions_are_rounded() -> None:
    assert rounded({"errors": 2, "p50_ms": 1.23456, "by": {"a": 1.23456}}) == {
        "errors": 2,
        "p50_ms": 1.235,
        "by": {"a": 1.23456},
    }
