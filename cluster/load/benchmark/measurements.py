"""How fast something was answered, and at what cost."""

import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cluster.load.benchmark.processes import cpu_between, processes_of
from cluster.load.generator_process import Measured
from cluster.load.job import Answer
from domain.door.model import ScanAnswer

_OK = 200
GENERATOR = "load_generator"


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast something was answered.

    Args:
        answered: within the measured time.
        errors: anything but the answer that was expected.
        cpu_ms: of each role, for one answer.
        processes: how many each role had at the end.
        others_share: of the machine's processors, used by what is neither the stack nor its load; 0 to 1.
    """

    per_second: float
    answered: int
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_ms: Mapping[str, float]
    processes: Mapping[str, int]
    others_share: float

    def cpu_ms_of_all(self, apart: Collection[str] = ()) -> float:
        """CPU ms for one answer, of every process but the load generator and the given roles."""
        left_out = {GENERATOR, *apart}
        return sum(used for role, used in self.cpu_ms.items() if role not in left_out)


def rate_of(measured: Measured, errors: int) -> Rate:
    """The figures of one measurement: of what was answered before its end, whatever was still under way."""
    driven = measured.driven
    answered = [
        answer
        for lane in driven.lanes
        for answer in lane
        if answer.status and answer.sent + answer.took <= driven.seconds
    ]
    took = sorted(answer.took * 1000 for answer in answered)
    number = len(answered)
    cpu_s = {**cpu_between(measured.before, measured.after), GENERATOR: driven.cpu_s}
    return Rate(
        per_second=number / driven.seconds if driven.seconds else 0.0,
        answered=number,
        p50_ms=percentile(took, 0.50),
        p99_ms=percentile(took, 0.99),
        errors=errors,
        cpu_ms={role: 1000 * used / max(1, number) for role, used in sorted(cpu_s.items()) if used},
        processes=processes_of(measured.after),
        others_share=_share_of_others(measured.busy_s - sum(cpu_s.values()), driven.seconds),
    )


def noop_errors(lanes: Sequence[Sequence[Answer]], body: bytes) -> int:
    """How many answers were not the one that a no-op gives."""
    return sum(answer.status != _OK or answer.body != body for lane in lanes for answer in lane)


def reading_errors(lanes: Sequence[Sequence[Answer]]) -> int:
    """How many questions were not answered with 200."""
    return sum(answer.status != _OK for lane in lanes for answer in lane)


def mean_batch(answers: Sequence[ScanAnswer]) -> float:
    """How many scans were decided together: all decisions of one transaction have one time."""
    return len(answers) / len({answer.decided_at for answer in answers}) if answers else 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of values in ascending order; 0 where there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def ratio(part: float, whole: float) -> float:
    """One for the other; 0 where there is no other."""
    return part / whole if whole else 0.0


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """To what a measurement of CPU can tell."""
    return {name: round(value, 3) for name, value in figures.items()}


def _share_of_others(used_s: float, seconds: float) -> float:
    available = seconds * (os.cpu_count() or 1)
    return min(1.0, max(0.0, used_s / available)) if available else 0.0
