"""The figures of a measurement."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.bench.check import Stored
from cluster.bench.generator import Measured
from cluster.bench.job import Answer
from cluster.bench.processes import cpu_between, processes_of
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


@dataclass(frozen=True, slots=True)
class ScanRun:
    """Scans at one number of connections.

    Args:
        wrong: answers that say something else than they must.
        unchecked: answers about members of whom an earlier answer was lost.
        mean_batch: how many scans were decided in one transaction.
        ran_out: whether it ended early, because every prepared scan had been sent.
    """

    rate: Rate
    wrong: int
    unchecked: int
    mean_batch: float
    ran_out: bool


@dataclass(frozen=True, slots=True)
class Level:
    """One number of connections: both no-ops, then scans. The roles name the replicas of the no-ops."""

    connections: int
    noop: Rate
    lean_noop: Rate
    scans: ScanRun
    noop_role: str
    lean_noop_role: str

    @property
    def ratio(self) -> float:
        """Scans for one no-op of FastAPI."""
        return self.scans.rate.per_second / self.noop.per_second if self.noop.per_second else 0.0

    def as_json(self) -> dict[str, Any]:
        """Plain data, rounded to what the measurement can tell."""
        scan = self.scans.rate
        return {
            "connections": self.connections,
            "noop_rps": round(self.noop.per_second, 1),
            "lean_noop_rps": round(self.lean_noop.per_second, 1),
            "scan_rps": round(scan.per_second, 1),
            "ratio": round(self.ratio, 3),
            "p50_ms": round(scan.p50_ms, 2),
            "p99_ms": round(scan.p99_ms, 2),
            "errors": scan.errors,
            "wrong_answers": self.scans.wrong,
            "unchecked": self.scans.unchecked,
            "scans": scan.answered,
            "mean_batch": round(self.scans.mean_batch, 1),
            "cpu_ms_per_scan": _rounded(scan.cpu_ms),
            "noop_cpu_ms": round(self.noop.cpu_ms.get(self.noop_role, 0.0), 3),
            "lean_noop_cpu_ms": round(self.lean_noop.cpu_ms.get(self.lean_noop_role, 0.0), 3),
            "noop_cpu_ms_by_process": _rounded(self.noop.cpu_ms),
            "lean_noop_cpu_ms_by_process": _rounded(self.lean_noop.cpu_ms),
            "noop_p50_ms": round(self.noop.p50_ms, 2),
            "noop_p99_ms": round(self.noop.p99_ms, 2),
            "noop_errors": self.noop.errors + self.lean_noop.errors,
            "processes": dict(scan.processes),
            "others_cpu_share": round(scan.others_share, 3),
            "noop_others_cpu_share": round(max(self.noop.others_share, self.lean_noop.others_share), 3),
            "ran_out_of_prepared_scans": self.scans.ran_out,
        }


@dataclass(frozen=True, slots=True)
class Findings:
    """A whole bench.

    Args:
        durability: the settings that were found, by name.
        load: what was loaded and asked.
        levels: in the order in which they were measured.
        around: errors and wrong answers in the scans around the measured ones: filling the gyms, warming up.
        stored: how the store compares with the answers.
        disagreements: between the tables of the door.
        examples: of what went wrong.
    """

    durability: Mapping[str, str]
    load: Mapping[str, Any]
    levels: Sequence[Level]
    around: Mapping[str, int]
    stored: Stored
    disagreements: Sequence[str]
    examples: Sequence[str]

    @property
    def is_good(self) -> bool:
        """Whether every answer came, was right, and was kept."""
        at_levels = any(
            level.scans.wrong or level.scans.rate.errors or level.noop.errors or level.lean_noop.errors
            for level in self.levels
        )
        kept = not (self.stored.lost or self.stored.stored_otherwise or self.stored.wrongly_inside)
        return not at_levels and not any(self.around.values()) and kept and not self.disagreements

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "durable": True,  # what is not is refused before anything is measured
            "durability": dict(self.durability),
            "load": dict(self.load),
            "runs": [level.as_json() for level in self.levels],
            "around": dict(self.around),
            "store": asdict(self.stored),
            "disagreements": list(self.disagreements),
            "examples": list(self.examples),
            "good": self.is_good,
        }


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


def mean_batch(answers: Sequence[ScanAnswer]) -> float:
    """How many scans were decided together: all decisions of one transaction have one time."""
    return len(answers) / len({answer.decided_at for answer in answers}) if answers else 0.0


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of values in ascending order; 0 where there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _share_of_others(used_s: float, seconds: float) -> float:
    available = seconds * (os.cpu_count() or 1)
    return min(1.0, max(0.0, used_s / available)) if available else 0.0


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {role: round(value, 3) for role, value in figures.items()}
