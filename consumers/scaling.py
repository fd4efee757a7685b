"""How many consumers the door needs: a rule over what they report of themselves.

Serve's controller asks it many times a second and waits for no more than the delays of `serve_config.yaml`: a wish for
more must last `upscale_delay_s`, one for fewer `downscale_delay_s`, and each takes one decision only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

LAG, HANDLED, BUSY_S = "lag", "handled", "busy_s"  # what `DoorConsumer.record_autoscaling_stats` reports

Series = Sequence[tuple[float, float]]  # times in s and values, in the order of time


@dataclass(frozen=True)
class Load:
    """What one consumer has to do and has done of late.

    Args:
        lag: messages that wait in its partitions.
        handled: messages that it handled in `span_s`.
        busy_s: how long that took it; waiting for messages or for an absent database is no work.
        span_s: how far back this looks, in s.
    """

    lag: float
    handled: float
    busy_s: float
    span_s: float


@dataclass(frozen=True)
class ScalingLimits:
    """When there are too few consumers, and when too many.

    Args:
        too_long_s: more are needed when those that run would need longer than this for what waits.
        calm_s: fewer may do when what waits takes no longer than this,
        calm_share: and when each of the fewer would be busy for no more than this share of its time.
        stale_after_s: a consumer that has reported nothing for so long is frozen, dying, or only just born.
    """

    too_long_s: float = 1.0
    calm_s: float = 0.2
    calm_share: float = 0.5
    stale_after_s: float = 5.0


def consumers_wanted(target: int, running: int, loads: Sequence[Load], limits: ScalingLimits) -> int:
    """How many consumers there should be; the caller bounds it and waits before it believes it.

    Lag by itself says nothing: while the database is away, or nobody has handled anything yet, it grows whatever the
    number of consumers. So it is held against what they handle in a second of work, and where that is not known
    nothing changes.

    Args:
        target: how many there are meant to be now.
        running: how many there are.
        loads: of those whose reports are fresh; the gyms of the others wait until the group has given them away.
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


def load_of(lag: Series, handled: Series, busy_s: Series, now: float, limits: ScalingLimits) -> Load | None:
    """One consumer's reports in a row as its load; None where they are too old or too few to tell."""
    fresh = lag and now - lag[-1][0] <= limits.stale_after_s
    if not fresh or len(handled) < 2 or len(busy_s) < 2:  # noqa: PLR2004 - a difference needs two
        return None
    span_s = handled[-1][0] - handled[0][0]
    return Load(lag[-1][1], handled[-1][1] - handled[0][1], busy_s[-1][1] - busy_s[0][1], span_s)


class LagPolicy:
    """The rule as Serve calls it. Made anew whenever the configuration changes; keeps no state of its own.

    Args:
        limits: the fields of `ScalingLimits`, as `policy_kwargs` of the configuration name them.
    """

    def __init__(self, **limits: float) -> None:
        self._limits = ScalingLimits(**limits)

    def __call__(self, ctx: "AutoscalingContext") -> tuple[int, dict[str, Any]]:
        """Serve's question; the answer with the state to keep until the next."""
        raw = ctx.raw_metrics or {}
        now = ctx.current_time or 0.0
        loads = [self._load(raw, replica, now) for replica in ctx.running_replicas]
        known = [load for load in loads if load is not None]
        return consumers_wanted(ctx.target_num_replicas, ctx.current_num_replicas, known, self._limits), {}

    def _load(self, raw: Mapping[str, Mapping[Any, Any]], replica: Any, now: float) -> Load | None:  # noqa: ANN401 - Serve's own id
        lag, handled, busy_s = (
            [(point.timestamp, point.value) for point in raw.get(name, {}).get(replica, [])]
            for name in (LAG, HANDLED, BUSY_S)
        )
        return load_of(lag, handled, busy_s, now, self._limits)
