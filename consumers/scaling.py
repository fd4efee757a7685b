"""How many consumers there should be: a rule on the metrics that they report.

The controller of Serve evaluates it several times a second and applies the delays of `serve_config.yaml`: a higher
number must last `upscale_delay_s`, a lower one `downscale_delay_s`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the controller of Serve imports this module, and must not import the clients of a consumer
    from ray.serve.config import AutoscalingContext

    from consumers.loop import ConsumerLoop

_LAG, _HANDLED, _BUSY_S = "lag", "handled", "busy_s"

TimeSeries = Sequence[tuple[float, float]]  # times in s and values, oldest first


def autoscaling_stats(loop: "ConsumerLoop[Any, Any] | None") -> dict[str, float]:
    """What a consumer reports to the policy: its lag, the messages that it handled, and the time that this took.

    Args:
        loop: of the consumer; None when it has nothing to read.
    """
    if loop is None:
        return {_LAG: 0.0, _HANDLED: 0.0, _BUSY_S: 0.0}
    return {_LAG: float(loop.lag), _HANDLED: float(loop.stats.messages), _BUSY_S: loop.stats.busy_s}


@dataclass(frozen=True)
class ConsumerLoad:
    """The load of one consumer.

    Args:
        lag: unread messages in its partitions.
        handled: messages that it handled in `span_s`.
        busy_s: how long that took, in seconds, without waits for messages or for unavailable systems.
        span_s: the length of the period, in seconds.
    """

    lag: float
    handled: float
    busy_s: float
    span_s: float


@dataclass(frozen=True)
class ScalingLimits:
    """When there are too few consumers, and when too many.

    Args:
        too_long_s: scale up when the running consumers need longer than this for the lag, in seconds.
        calm_s: scale down when the lag takes no longer than this, in seconds,
        calm_share: and the remaining consumers would be busy for at most this share of their time.
        stale_after_s: a consumer without a report for this long is frozen, dying or starting, in seconds.
    """

    too_long_s: float = 1.0
    calm_s: float = 0.2
    calm_share: float = 0.5
    stale_after_s: float = 5.0


def desired_consumers(target: int, running: int, loads: Sequence[ConsumerLoad], limits: ScalingLimits) -> int:
    """How many consumers there should be. Serve applies its bounds and delays to the result.

    Lag alone says nothing: while the database is unavailable, or before anything was handled, it grows with any
    number of consumers. So it is divided by the throughput, and without a known throughput nothing changes.

    Args:
        target: the present target number.
        running: how many run.
        loads: of the consumers with fresh reports. The gyms of the others wait until the group moves their partitions.
        limits: what counts as too few and too many.
    """
    lag = sum(load.lag for load in loads)
    handled = sum(load.handled for load in loads)
    busy_s = sum(load.busy_s for load in loads)
    wait_s = 0.0
    if lag > 0:
        if handled <= 0 or busy_s <= 0:
            return target
        wait_s = lag * busy_s / handled / len(loads)
    if wait_s > limits.too_long_s:
        return max(target, running + 1, math.ceil(running * wait_s / limits.too_long_s))
    if running < target or len(loads) < running or wait_s > limits.calm_s:
        return target
    share = sum(load.busy_s / load.span_s for load in loads if load.span_s > 0)
    return target - 1 if target > 1 and share <= limits.calm_share * (target - 1) else target


def load_from_series(
    lag: TimeSeries, handled: TimeSeries, busy_s: TimeSeries, now: float, limits: ScalingLimits
) -> ConsumerLoad | None:
    """The load of one consumer from its reports; None: too old or too few."""
    fresh = lag and now - lag[-1][0] <= limits.stale_after_s
    if not fresh or len(handled) < 2 or len(busy_s) < 2:  # noqa: PLR2004 - a difference needs two
        return None
    span_s = handled[-1][0] - handled[0][0]
    return ConsumerLoad(lag[-1][1], handled[-1][1] - handled[0][1], busy_s[-1][1] - busy_s[0][1], span_s)


class LagPolicy:
    """The rule in the form that Serve calls. Serve creates it anew for each configuration; it keeps no state.

    Args:
        limits: the fields of `ScalingLimits`, from `policy_kwargs` of the configuration.
    """

    def __init__(self, **limits: float) -> None:
        self._limits = ScalingLimits(**limits)

    def __call__(self, ctx: "AutoscalingContext") -> tuple[int, dict[str, Any]]:
        """The desired number of replicas, and the policy's state, which is empty."""
        raw = ctx.raw_metrics or {}
        now = ctx.current_time or 0.0
        loads = [self._load(raw, replica, now) for replica in ctx.running_replicas]
        known = [load for load in loads if load is not None]
        return desired_consumers(ctx.target_num_replicas, ctx.current_num_replicas, known, self._limits), {}

    def _load(self, raw: Mapping[str, Mapping[Any, Any]], replica: Any, now: float) -> ConsumerLoad | None:  # noqa: ANN401 - Serve's own id
        lag, handled, busy_s = (
            [(point.timestamp, point.value) for point in raw.get(name, {}).get(replica, [])]
            for name in (_LAG, _HANDLED, _BUSY_S)
        )
        return load_from_series(lag, handled, busy_s, now, self._limits)
