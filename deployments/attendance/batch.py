"""Runs the tasks of a plan on Ray: in workers of low priority that ask for `batch`, and for no CPU.

A default task asks for a CPU, which the fractions of Serve's replicas may have taken for good, and while it waits it
holds up their scaling. Frames go through files: Ray's object store is small here.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import ray

from deployments.attendance.groups import Group, GroupResult, compute_group
from deployments.attendance.plan import Plan
from deployments.attendance.resources import BATCH_RESOURCE
from domain.errors import UnavailableError

LOWEST_PRIORITY: Final = 19
"""Niceness of workers: the doors come first."""
_CALLS_PER_WORKER: Final = 16
_WAIT_S: Final = 0.5


class NoBatchWorkersError(UnavailableError):
    """No Ray node offers the resource that batch tasks ask for, so they would wait for ever."""


class BatchCancelledError(Exception):
    """The batch was cancelled. What its finished tasks wrote is kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is.

    Args:
        rows, all_rows: of the archive, read and to be read.
    """

    tasks: int
    all_tasks: int
    rows: int
    all_rows: int


@dataclass(slots=True)
class BatchResult:
    """What a batch did.

    Args:
        peak_bytes: greatest memory of a worker.
    """

    results: list[GroupResult] = field(default_factory=list)

    @property
    def peak_bytes(self) -> int:
        """Greatest memory of a worker; 0 if there was nothing to do."""
        return max((result.peak_bytes for result in self.results), default=0)


def run_plan(
    plan: Plan,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    niceness: int = LOWEST_PRIORITY,
) -> BatchResult:
    """Compute what a plan contains. To resume after a crash of any process, plan again and run that.

    Args:
        on_progress: called after each task.
        is_cancelled: asked about twice a second.
        niceness: of the workers.

    Raises:
        NoBatchWorkersError: no node offers `batch`.
        BatchCancelledError: `is_cancelled` returned True.
    """
    batch = BatchResult()
    if not plan.groups:
        return batch
    check_resources(ray.cluster_resources())  # type: ignore[no-untyped-call]
    with _submitted(plan.groups, niceness) as waiting:
        while waiting:
            if is_cancelled():
                raise BatchCancelledError(f"Cancelled after {len(batch.results)} of {len(plan.groups)} tasks.")
            done, _ = ray.wait(list(waiting), num_returns=1, timeout=_WAIT_S)
            for reference in done:
                waiting.remove(reference)
                batch.results.append(ray.get(reference))
                rows = sum(result.rows for result in batch.results)
                on_progress(Progress(len(batch.results), len(plan.groups), rows, plan.rows))
    return batch


def check_resources(offered: Mapping[str, float]) -> None:
    """Check that batch tasks can run at all.

    Args:
        offered: all resources of the cluster, as `ray.cluster_resources()` returns them.

    Raises:
        NoBatchWorkersError: no node offers `batch`.
    """
    if offered.get(BATCH_RESOURCE, 0) < 1:
        raise NoBatchWorkersError(
            f'No Ray node offers the resource "{BATCH_RESOURCE}". Start one with: '
            f"ray start --resources='{{\"{BATCH_RESOURCE}\": 1}}'"
        )


@contextmanager
def _submitted(groups: Sequence[Group], niceness: int) -> Iterator[list[Any]]:
    """Submit tasks, the largest first; cancel those that are left at the end."""
    references = [_task.remote(group, niceness) for group in sorted(groups, key=lambda group: -group.rows)]
    try:
        yield references
    finally:
        for reference in references:
            ray.cancel(reference)


@ray.remote(
    num_cpus=0,
    resources={BATCH_RESOURCE: 1},
    max_calls=_CALLS_PER_WORKER,
    max_retries=3,
    # Set before Polars is imported; workers of another environment are not used for these tasks.
    runtime_env={"env_vars": {"POLARS_MAX_THREADS": "1"}},
)
def _task(group: Group, niceness: int) -> GroupResult:
    os.nice(max(0, niceness - os.nice(0)))
    return compute_group(group)
