"""When the policy adds consumers, when it removes them, and when a lag says nothing about their number."""

import warnings
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cluster.local.folders import serve_config_file
from consumers.scaling import ConsumerLoad, ScalingLimits, desired_consumers, load_from_series

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.serve._private.common import DeploymentID, ReplicaID, TimeStampedValue
    from ray.serve.config import AutoscalingContext, AutoscalingPolicy

LIMITS = ScalingLimits()
# 1,000 messages in 2 s of work: the throughput is 500 a second.
BUSY = ConsumerLoad(lag=0, handled=1000, busy_s=2.0, span_s=4.0)
IDLE = ConsumerLoad(lag=0, handled=0, busy_s=0.0, span_s=4.0)


def waiting(lag: float, load: ConsumerLoad = BUSY) -> ConsumerLoad:
    return ConsumerLoad(lag, load.handled, load.busy_s, load.span_s)


def test_a_lag_that_takes_too_long_adds_as_many_consumers_as_needed() -> None:
    assert desired_consumers(1, 1, [waiting(500)], LIMITS) == 1
    assert desired_consumers(1, 1, [waiting(501)], LIMITS) == 2
    assert desired_consumers(1, 1, [waiting(1700)], LIMITS) == 4
    assert desired_consumers(2, 2, [waiting(1001), waiting(0)], LIMITS) == 3


def test_consumers_that_are_still_starting_are_not_removed() -> None:
    assert desired_consumers(4, 1, [waiting(600)], LIMITS) == 4
    assert desired_consumers(4, 1, [IDLE], LIMITS) == 4
    assert desired_consumers(4, 4, [IDLE] * 3, LIMITS) == 4, "one has not reported yet"


def test_calm_removes_one_consumer_and_never_the_last() -> None:
    assert desired_consumers(4, 4, [IDLE] * 4, LIMITS) == 3
    assert desired_consumers(1, 1, [IDLE], LIMITS) == 1


def test_calm_removes_none_while_all_are_needed() -> None:
    # Each is busy for half of its time. Three would be busy for two thirds.
    assert desired_consumers(4, 4, [BUSY] * 4, LIMITS) == 4
    assert desired_consumers(4, 4, [BUSY] * 3 + [IDLE], LIMITS) == 3


def test_between_too_long_and_calm_nothing_changes() -> None:
    assert desired_consumers(2, 2, [waiting(250), waiting(250)], LIMITS) == 2


@pytest.mark.parametrize("target", [1, 3])
def test_a_lag_while_nothing_can_be_handled_changes_nothing(target: int) -> None:
    """The database is unavailable, or a gym is locked: more consumers would only wait as well."""
    stuck = waiting(100_000, IDLE)
    assert desired_consumers(target, target, [stuck] * target, LIMITS) == target


@pytest.mark.parametrize("target", [1, 4])
def test_without_reports_nothing_changes(target: int) -> None:
    assert desired_consumers(target, target, [], LIMITS) == target


@given(
    st.integers(1, 8),
    st.integers(0, 8),
    st.lists(
        st.builds(
            ConsumerLoad,
            st.integers(0, 10**9),
            st.integers(0, 10**6),
            st.floats(0, 10),
            st.floats(0, 10, exclude_min=True),
        ),
        max_size=8,
    ),
)
def test_it_goes_down_by_one_at_most_and_only_when_all_have_reported(
    target: int, running: int, loads: list[ConsumerLoad]
) -> None:
    wanted = desired_consumers(target, running, loads, LIMITS)
    assert wanted >= max(1, target - 1)
    if len(loads) < running or running < target:
        assert wanted >= target


def test_old_reports_and_single_ones_say_nothing() -> None:
    lag, handled, busy_s = [(1.0, 5.0), (2.0, 9.0)], [(1.0, 10.0), (2.0, 30.0)], [(1.0, 0.5), (2.0, 0.75)]
    assert load_from_series(lag, handled, busy_s, 3.0, LIMITS) == ConsumerLoad(9.0, 20.0, 0.25, 1.0)
    assert load_from_series(lag, handled, busy_s, 8.0, LIMITS) is None
    assert load_from_series(lag, handled[:1], busy_s[:1], 3.0, LIMITS) is None
    assert load_from_series([], [], [], 3.0, LIMITS) is None


def context(target: int, series: dict[str, list[float]], now: float = 10.0) -> AutoscalingContext:
    """The context that Serve gives a policy for one replica: one report per second, the last at 10 s."""
    replica = ReplicaID("a", DeploymentID("DoorConsumer", "door_consumers"))
    raw: dict[str, dict[ReplicaID, Any]] = {
        name: {replica: [TimeStampedValue(10.0 - len(values) + n + 1, value) for n, value in enumerate(values)]}
        for name, values in series.items()
    }
    return AutoscalingContext(
        deployment_id=replica.deployment_id,
        deployment_name="DoorConsumer",
        app_name="door_consumers",
        current_num_replicas=1,
        target_num_replicas=target,
        running_replicas=[replica],
        total_num_requests=0.0,
        total_queued_requests=0.0,
        aggregated_metrics={},
        raw_metrics=raw,
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=4,
        policy_state={},
        last_scale_up_time=None,
        last_scale_down_time=None,
        current_time=now,
        config=None,
    )


def test_serve_finds_the_shipped_policy_and_understands_its_answer() -> None:
    """Like the controller: load the policy of the configuration from its pickle and call it with a context."""
    config = yaml.safe_load(serve_config_file().read_text(encoding="utf-8"))
    (shipped,) = (
        each["autoscaling_config"]["policy"]
        for app in config["applications"]
        for each in app["deployments"]
        if each["name"] == "DoorConsumer"
    )
    make: Any = AutoscalingPolicy  # Ray's own is untyped
    received = make.from_serialized_policy_def(shipped, make(**shipped).get_serialized_policy_def())
    policy = received.get_policy()(**received.policy_kwargs)
    lagging = {"lag": [0.0, 800.0, 1600.0], "handled": [0.0, 400.0, 800.0], "busy_s": [0.0, 1.0, 2.0]}
    assert policy(context(1, lagging)) == (4, {})
    assert policy(context(1, lagging, now=20.0)) == (1, {}), "frozen: its last report is too old"
    assert policy(context(1, {})) == (1, {})
