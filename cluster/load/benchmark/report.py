"""The tables of a bench, one for each part."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from cluster.load.benchmark.burst import IN_TIME_S, WITHIN_S, Burst
from cluster.load.benchmark.closed_loop import LEAN_ROLE, NOOP_ROLE, Level
from cluster.load.benchmark.findings import Findings
from cluster.load.benchmark.inside import INSIDE, Compared
from cluster.load.benchmark.measurements import GENERATOR, ratio
from cluster.load.benchmark.open_loop import OpenLoop

_FIRST = ("gateway", "qr", "door_consumer", "gym", "kafka", "mariadb", "haproxy", GENERATOR)
_SHOWN_FROM_MS = 0.001


def tables_of(findings: Findings) -> Iterator[Table]:
    """One or two for each part that was measured."""
    if findings.levels:
        yield _rates(findings.levels)
        yield _costs(findings.levels)
        yield _processors(findings.levels)
    if findings.open_loop is not None:
        yield _open_loop(findings.open_loop)
    if findings.burst is not None:
        yield _burst(findings.burst)
    if findings.inside is not None:
        yield _compared(f"{INSIDE:,} inside", findings.inside)
    if findings.large is not None:
        table = _compared("a large past", findings.large.compared)
        for name, noop in zip(("no-op before", "no-op after"), findings.large.noops, strict=True):
            table.add_row(name, f"{noop.per_second:,.0f}", f"{noop.cpu_ms_of_all():.3f}")
        for name, read in zip(("occupancy before", "occupancy after"), findings.large.occupancy, strict=True):
            table.add_row(name, f"{read.per_second:,.0f}", f"{read.cpu_ms_of_all():.3f}")
        yield table


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table


def _rates(levels: Sequence[Level]) -> Table:
    """Rates of the no-ops (FastAPI, Starlette) and of scans; `batch` is the mean number of scans in one transaction."""
    table = _table("conn.", "no-op/s", "lean/s", "scans/s", "÷ no-op", "÷ lean", "p50 ms", "p99 ms", "p50 ÷", "batch")
    for level in levels:
        scan = level.scans.rate
        table.add_row(
            str(level.connections),
            f"{level.noop.per_second:,.0f}",
            f"{level.lean_noop.per_second:,.0f}",
            f"{scan.per_second:,.0f}",
            f"{level.ratio:.2f}",
            f"{level.lean_ratio:.2f}",
            f"{scan.p50_ms:.1f}",
            f"{scan.p99_ms:.1f}",
            f"{level.p50_ratio:.1f}",
            f"{level.scans.mean_batch:.1f}",
        )
    return table


def _costs(levels: Sequence[Level]) -> Table:
    """CPU ms of all processes but the load generator, which stands apart; and what went wrong."""
    table = _table("conn.", "CPU ms a scan", "a no-op", "a lean", "÷ no-op", "÷ lean", "generator", "errors", "wrong")
    for level in levels:
        table.add_row(
            str(level.connections),
            f"{level.scan_cpu_ms:.2f}",
            f"{level.noop_cpu_ms:.2f}",
            f"{level.lean_noop_cpu_ms:.2f}",
            f"{ratio(level.noop_cpu_ms, level.scan_cpu_ms):.2f}",
            f"{ratio(level.lean_noop_cpu_ms, level.scan_cpu_ms):.2f}",
            f"{level.scans.rate.cpu_ms.get(GENERATOR, 0):.2f}",
            str(level.scans.rate.errors),
            str(level.scans.wrong),
        )
    return table


def _processors(levels: Sequence[Level]) -> Table:
    """CPU ms for one scan, by process; last what the no-ops' own replicas use for one answer."""
    table = _table("CPU ms a scan", *(str(level.connections) for level in levels))
    seen = {role: None for level in levels for role, used in level.scans.rate.cpu_ms.items() if used >= _SHOWN_FROM_MS}
    ordered = [role for role in _FIRST if role in seen] + [role for role in seen if role not in _FIRST]
    for role in ordered:
        counts = {level.scans.rate.processes.get(role, 1) for level in levels}
        label = role if counts == {1} else f"{role} ({'/'.join(map(str, sorted(counts)))})"
        table.add_row(label, *(f"{level.scans.rate.cpu_ms.get(role, 0):.3f}" for level in levels))
    table.add_row("one no-op, FastAPI's replica", *(f"{level.noop.cpu_ms.get(NOOP_ROLE, 0):.3f}" for level in levels))
    table.add_row(
        "one no-op, Starlette's replica", *(f"{level.lean_noop.cpu_ms.get(LEAN_ROLE, 0):.3f}" for level in levels)
    )
    return table


def _open_loop(found: OpenLoop) -> Table:
    """Latency from when a request was due; `late` is the share of those sent over 5 ms late."""
    table = _table(f"{found.rate:,.0f}/s offered", "asked", "p50 ms", "p99 ms", "most ms", "late", "errors", "÷ p99")
    for name, offered in (("FastAPI no-op", found.noop), ("Starlette no-op", found.lean_noop), ("scans", found.scans)):
        table.add_row(
            name,
            f"{offered.asked:,}",
            f"{offered.p50_ms:.1f}",
            f"{offered.p99_ms:.1f}",
            f"{offered.most_ms:.1f}",
            f"{100 * offered.late_share:.1f} %",
            str(offered.errors),
            f"{ratio(found.scans.p99_ms, offered.p99_ms):.1f}",
        )
    return table


def _burst(found: Burst) -> Table:
    """What the first answers were; then how often was repeated until everything was decided."""
    table = _table("burst", f"{found.members:,} members within {WITHIN_S:g} s")
    for name, value in (
        ("consumers", str(found.consumers)),
        (f"decided within {IN_TIME_S:g} s", f"{100 * found.decided_in_time:.2f} %"),
        ("p50 · p99 · most ms", f"{found.p50_ms:.0f} · {found.p99_ms:.0f} · {found.most_ms:.0f}"),
        ("told to retry", str(found.retries)),
        ("refused as too late", str(found.too_late)),
        ("errors · wrong", f"{found.errors} · {found.wrong}"),
        ("repeats · undecided after them", f"{found.repeats} · {found.undecided}"),
    ):
        table.add_row(name, value)
    return table


def _compared(what: str, found: Compared) -> Table:
    """Each run, and the ratio of the means."""
    table = _table(what, "scans/s", "CPU ms a scan", "p50 ms", "p99 ms", "errors", "wrong")
    plain = found.as_json()
    for name, runs in (("without", plain["without"]), ("with", plain["under"])):
        for run in runs:
            figures = (run["scan_rps"], run["cpu_ms_a_scan"], run["p50_ms"], run["p99_ms"])
            table.add_row(name, *map(str, figures), str(run["errors"]), str(run["wrong_answers"]))
    table.add_row("cost, with ÷ without", f"{found.time_ratio:.3f}", f"{found.cpu_ratio:.3f}")
    return table
