"""Both no-ops and scans at one number of connections, each lane asking on as soon as it is answered (closed loop)."""

from dataclasses import dataclass
from typing import Any

from cluster.load.benchmark.measurements import Rate, ratio, rounded
from cluster.load.benchmark.noop import FASTAPI, LEAN
from cluster.load.benchmark.processes import role_of_replica
from cluster.load.benchmark.rig import Rig
from cluster.load.benchmark.traffic import ScanRun, ScanRuns

NOOP_ROLE, LEAN_ROLE = role_of_replica(FASTAPI), role_of_replica(LEAN)
NOOP_ROLES = (NOOP_ROLE, LEAN_ROLE)


@dataclass(frozen=True, slots=True)
class Level:
    """One number of connections: both no-ops, then scans."""

    connections: int
    noop: Rate
    lean_noop: Rate
    scans: ScanRun

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""
        return not (self.scans.wrong or self.scans.rate.errors or self.noop.errors or self.lean_noop.errors)

    @property
    def ratio(self) -> float:
        """Scans for one no-op of FastAPI."""
        return ratio(self.scans.rate.per_second, self.noop.per_second)

    @property
    def lean_ratio(self) -> float:
        """Scans for one no-op of Starlette."""
        return ratio(self.scans.rate.per_second, self.lean_noop.per_second)

    @property
    def p50_ratio(self) -> float:
        """A scan's median time for a no-op's of FastAPI."""
        return ratio(self.scans.rate.p50_ms, self.noop.p50_ms)

    @property
    def scan_cpu_ms(self) -> float:
        """CPU ms of all processes for one scan, Kafka and database too; not of the load generator."""
        return self.scans.rate.cpu_ms_of_all(NOOP_ROLES)

    @property
    def noop_cpu_ms(self) -> float:
        """CPU ms of all processes for one no-op of FastAPI."""
        return self.noop.cpu_ms_of_all((LEAN_ROLE,))

    @property
    def lean_noop_cpu_ms(self) -> float:
        """CPU ms of all processes for one no-op of Starlette."""
        return self.lean_noop.cpu_ms_of_all((NOOP_ROLE,))

    def as_json(self) -> dict[str, Any]:
        """Plain data, rounded to what the measurement can tell."""
        scan = self.scans.rate
        return {
            "connections": self.connections,
            "noop_rps": round(self.noop.per_second, 1),
            "lean_noop_rps": round(self.lean_noop.per_second, 1),
            "scan_rps": round(scan.per_second, 1),
            "ratio": round(self.ratio, 3),
            "lean_ratio": round(self.lean_ratio, 3),
            "p50_ms": round(scan.p50_ms, 2),
            "p99_ms": round(scan.p99_ms, 2),
            "p50_ratio": round(self.p50_ratio, 2),
            "errors": scan.errors,
            "wrong_answers": self.scans.wrong,
            "unchecked": self.scans.unchecked,
            "scans": scan.answered,
            "mean_batch": round(self.scans.mean_batch, 1),
            "cpu_ms_a_scan": round(self.scan_cpu_ms, 3),
            "cpu_ms_a_noop": round(self.noop_cpu_ms, 3),
            "cpu_ms_a_lean_noop": round(self.lean_noop_cpu_ms, 3),
            "cpu_ratio": round(ratio(self.noop_cpu_ms, self.scan_cpu_ms), 3),
            "lean_cpu_ratio": round(ratio(self.lean_noop_cpu_ms, self.scan_cpu_ms), 3),
            "cpu_ms_per_scan": rounded(scan.cpu_ms),
            "noop_cpu_ms": round(self.noop.cpu_ms.get(NOOP_ROLE, 0.0), 3),
            "lean_noop_cpu_ms": round(self.lean_noop.cpu_ms.get(LEAN_ROLE, 0.0), 3),
            "noop_cpu_ms_by_process": rounded(self.noop.cpu_ms),
            "lean_noop_cpu_ms_by_process": rounded(self.lean_noop.cpu_ms),
            "noop_p50_ms": round(self.noop.p50_ms, 2),
            "noop_p99_ms": round(self.noop.p99_ms, 2),
            "noop_errors": self.noop.errors + self.lean_noop.errors,
            "processes": dict(scan.processes),
            "others_cpu_share": round(scan.others_share, 3),
            "noop_others_cpu_share": round(max(self.noop.others_share, self.lean_noop.others_share), 3),
            "ran_out_of_prepared_scans": self.scans.ran_out,
        }


def measure_level(rig: Rig, runs: ScanRuns, connections: int) -> Level:
    """Measure at one number of connections."""
    noop, lean = (rig.noop(name, connections) for name in (FASTAPI, LEAN))
    rig.watcher.now(f"{connections} connections: scans")
    return Level(connections, noop, lean, runs.measure(connections, rig.seconds))
