"""What a scan costs at a gym with a thousand members inside, beside one with none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from cluster.load.benchmark.closed_loop import NOOP_ROLES
from cluster.load.benchmark.measurements import ratio
from cluster.load.benchmark.rig import Rig
from cluster.load.benchmark.traffic import ScanRun
from cluster.load.world import BenchWorld, Kind

INSIDE = 1000
CONNECTIONS = 64
_PASSING = 2000
_ENOUGH_DEVICES = 64  # a gate: all scans go to one gym, and no device may reach its limit


@dataclass(frozen=True, slots=True)
class Compared:
    """Scans under one circumstance for scans without it; each the mean of its runs."""

    without: Sequence[ScanRun]
    under: Sequence[ScanRun]

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""
        return all(run.is_good for run in (*self.without, *self.under))

    @property
    def cpu_ratio(self) -> float:
        """CPU of all processes for one scan, under it for without it."""
        return ratio(_cpu(self.under), _cpu(self.without))

    @property
    def time_ratio(self) -> float:
        """Time for one scan, which is the rates the other way round."""
        return ratio(_rate(self.without), _rate(self.under))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "cpu_ratio": round(self.cpu_ratio, 3),
            "time_ratio": round(self.time_ratio, 3),
            "without": [_plain(run) for run in self.without],
            "under": [_plain(run) for run in self.under],
        }


def measure_inside(rig: Rig) -> Compared:
    """None inside, a thousand inside, none inside: what drifts meanwhile falls on both.

    All are at one gym, and every scan asks for it, so that each transaction counts all who are inside. The members who
    scan go in and out again at once; of them there are never more inside than there are connections.
    """
    rig.watcher.now("inside: loading a gym")
    whole = rig.world(gyms=1, members=INSIDE + _PASSING, devices_a_gate=_ENOUGH_DEVICES)
    staying, passing = _parted(whole)
    passers, stayers = rig.runs(passing, passing_through=True), rig.runs(staying)
    runs = []
    for round_ in range(3):
        if round_:
            rig.watcher.now(f"inside: {INSIDE} members go {'in' if round_ == 1 else 'out'}")
            stayers.move(INSIDE if round_ == 1 else None)
        rig.watcher.now(f"inside: {CONNECTIONS} connections, {INSIDE if round_ == 1 else 0} members inside")
        runs.append(passers.measure(CONNECTIONS, rig.seconds))
    return Compared((runs[0], runs[2]), (runs[1],))


def _parted(whole: BenchWorld) -> tuple[BenchWorld, BenchWorld]:
    staying = whole.of_kind(Kind.ADMITTED)[:INSIDE]
    apart = {member.id for member in staying}
    passing = tuple(member for member in whole.members if member.id not in apart)
    return replace(whole, members=tuple(staying)), replace(whole, members=passing)


def _cpu(runs: Sequence[ScanRun]) -> float:
    return fmean(run.rate.cpu_ms_of_all(NOOP_ROLES) for run in runs)


def _rate(runs: Sequence[ScanRun]) -> float:
    return fmean(run.rate.per_second for run in runs)


def _plain(run: ScanRun) -> dict[str, Any]:
    return {
        "scan_rps": round(run.rate.per_second, 1),
        "cpu_ms_a_scan": round(run.rate.cpu_ms_of_all(NOOP_ROLES), 3),
        "p50_ms": round(run.rate.p50_ms, 2),
        "p99_ms": round(run.rate.p99_ms, 2),
        "mean_batch": round(run.mean_batch, 1),
        "mariadb_cpu_ms": round(run.rate.cpu_ms.get("mariadb", 0.0), 3),
        "errors": run.rate.errors,
        "wrong_answers": run.wrong,
        "others_cpu_share": round(run.rate.others_share, 3),
    }
