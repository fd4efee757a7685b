"""Closed loops: each connection sends its next request as soon as the one before is answered.

Scans are measured next to two no-ops of the same Serve, and with many members inside next to none.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.noop import FASTAPI, LEAN
from cluster.load.benchmark.processes import role_of_replica
from cluster.load.benchmark.traffic import ScanRun, ScanTraffic
from cluster.load.figures import Figures, ratio, rounded
from cluster.load.world import MemberKind

NOOP_ROLE, LEAN_ROLE = role_of_replica(FASTAPI), role_of_replica(LEAN)
INSIDE = 1000
_INSIDE_CONNECTIONS = 64
_PASSING = 2000
_ENOUGH_DEVICES = 64  # per gate: all scans go to one gym, and no device may reach its limit


def measure_level(stack: MeasuredStack, traffic: ScanTraffic, connections: int) -> Figures:
    """Measure both no-ops and scans at one number of connections."""
    noop, lean = (stack.noop(name, connections) for name in (FASTAPI, LEAN))
    stack.status.update(f"{connections} connections: scans")
    figures = level_figures(connections, noop, lean, traffic.measure(connections, stack.seconds))
    stack.status.console.print(
        f"{connections:>4} connections: {figures['scan_rps']:,.0f} scans/s, {figures['ratio']:.2f} of "
        f"{figures['noop_rps']:,.0f} no-ops/s, p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms"
    )
    return figures


def level_figures(connections: int, noop: Rate, lean: Rate, run: ScanRun) -> Figures:
    """The figures of scans and their ratios to those of the no-ops.

    Args:
        noop, lean: FastAPI's and Starlette's.
    """
    scan, cpu_ms = run.rate, scan_cpu_ms(run)
    noop_cpu_ms, lean_cpu_ms = noop.cpu_ms_of_all([LEAN_ROLE]), lean.cpu_ms_of_all([NOOP_ROLE])
    return rounded(
        {
            "connections": connections,
            "noop_rps": round(noop.per_second, 1),
            "lean_noop_rps": round(lean.per_second, 1),
            "scan_rps": round(scan.per_second, 1),
            "ratio": ratio(scan.per_second, noop.per_second),
            "lean_ratio": ratio(scan.per_second, lean.per_second),
            "p50_ms": scan.p50_ms,
            "p99_ms": scan.p99_ms,
            "p50_ratio": ratio(scan.p50_ms, noop.p50_ms),
            "errors": scan.errors,
            "wrong_answers": run.checked.wrong,
            "unchecked": run.checked.unchecked,
            "scans": scan.answered,
            "mean_batch": round(run.checked.mean_batch, 1),
            "cpu_ms_a_scan": cpu_ms,
            "cpu_ms_a_noop": noop_cpu_ms,
            "cpu_ms_a_lean_noop": lean_cpu_ms,
            "cpu_ratio": ratio(noop_cpu_ms, cpu_ms),
            "lean_cpu_ratio": ratio(lean_cpu_ms, cpu_ms),
            "cpu_ms_per_scan": rounded(scan.cpu_ms),
            "noop_cpu_ms": noop.cpu_ms.get(NOOP_ROLE, 0.0),
            "lean_noop_cpu_ms": lean.cpu_ms.get(LEAN_ROLE, 0.0),
            "noop_cpu_ms_by_process": rounded(noop.cpu_ms),
            "lean_noop_cpu_ms_by_process": rounded(lean.cpu_ms),
            "noop_p50_ms": noop.p50_ms,
            "noop_p99_ms": noop.p99_ms,
            "noop_errors": noop.errors + lean.errors,
            "processes": dict(scan.processes),
            "others_cpu_share": scan.others_share,
            "noop_others_cpu_share": max(noop.others_share, lean.others_share),
            "ran_out_of_prepared_scans": run.ran_out,
        }
    )


def measure_inside(stack: MeasuredStack) -> Figures:
    """None inside, a thousand inside, none inside: a drift of the machine affects both.

    All are at one gym, and every scan asks for it, so that each transaction counts all who are inside. The members who
    scan enter and leave again at once; of them there are never more inside than there are connections.
    """
    stack.status.update("inside: seeding a gym")
    whole = stack.seed(gyms=1, members=INSIDE + _PASSING, devices_per_gate=_ENOUGH_DEVICES)
    staying = whole.of_kind(MemberKind.ADMITTED)[:INSIDE]
    apart = {member.id for member in staying}
    passing = tuple(member for member in whole.members if member.id not in apart)
    stayers = ScanTraffic(stack, replace(whole, members=tuple(staying)))
    passers = ScanTraffic(stack, replace(whole, members=passing), passing_through=True)

    def run(inside: int) -> ScanRun:
        stack.status.update(f"inside: {_INSIDE_CONNECTIONS} connections, {inside} members inside")
        return passers.measure(_INSIDE_CONNECTIONS, stack.seconds)

    before = run(0)
    stack.status.update(f"inside: {INSIDE} members enter")
    stayers.enter(INSIDE)
    under = run(INSIDE)
    stack.status.update(f"inside: {INSIDE} members leave")
    stayers.leave()
    return compared([before, run(0)], [under])


def compared(without: Sequence[ScanRun], under: Sequence[ScanRun]) -> Figures:
    """Scans under a circumstance compared with scans without it, each the mean of its runs."""
    cpu_ms, cpu_ms_under = (fmean(map(scan_cpu_ms, runs)) for runs in (without, under))
    rate, rate_under = (fmean(run.rate.per_second for run in runs) for runs in (without, under))
    return {
        "cpu_ratio": round(ratio(cpu_ms_under, cpu_ms), 3),
        "time_ratio": round(ratio(rate, rate_under), 3),
        "without": [_run_figures(run) for run in without],
        "under": [_run_figures(run) for run in under],
    }


def _run_figures(run: ScanRun) -> Figures:
    return rounded(
        {
            "scan_rps": round(run.rate.per_second, 1),
            "cpu_ms_a_scan": scan_cpu_ms(run),
            "p50_ms": round(run.rate.p50_ms, 2),
            "p99_ms": round(run.rate.p99_ms, 2),
            "mean_batch": round(run.checked.mean_batch, 1),
            "mariadb_cpu_ms": run.rate.cpu_ms.get("mariadb", 0.0),
            "errors": run.rate.errors,
            "wrong_answers": run.checked.wrong,
            "others_cpu_share": run.rate.others_share,
        }
    )


def scan_cpu_ms(run: ScanRun) -> float:
    """CPU ms of all processes for one scan, Kafka and the database included, the load generator and no-ops not."""
    return run.rate.cpu_ms_of_all([NOOP_ROLE, LEAN_ROLE])
