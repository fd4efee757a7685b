"""The result of a benchmark on a terminal: a table for each part, and the verdict."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from cluster.load.benchmark.closed_loop import INSIDE
from cluster.load.benchmark.measurements import GENERATOR
from cluster.load.figures import Figures, disturbance_in

_QUIET_BELOW = 0.1
_FIRST = ("gateway", "qr_scanner", "door_consumer", "gym", "kafka", "mariadb", "haproxy", GENERATOR)
_SHOWN_FROM_MS = 0.001
_MAX_DISAGREEMENTS = 5


def print_result(console: Console, result: Figures) -> None:
    """Print all tables and the verdict."""
    for table in _tables(result):
        console.print(table)
    console.print(_verdict(result))
    if (most := disturbance_in(result)) >= _QUIET_BELOW:
        console.print(
            f"[yellow]not quiet: other programs used up to {100 * most:.0f} % of the processors; compare ratios, not "
            "figures[/yellow]"
        )
    for line in (*result["examples"], *result["disagreements"][:_MAX_DISAGREEMENTS]):
        console.print(f"  {line}", markup=False)


def _verdict(result: Figures) -> str:
    store, around = result["store"], result["around"]
    facts = (
        f"{store['answered']:,} answers, {store['stored']:,} scans stored",
        f"{store['lost']} lost",
        f"{store['stored_otherwise']} stored differently",
        f"{store['wrongly_inside']} wrongly inside or outside",
        f"{store['occupancy_broken']} whose occupancy does not follow from the scans before",
        f"{store['over_capacity']} over capacity",
        f"{result['admitted_twice']} passes admitted twice",
        f"{len(result['disagreements'])} disagreements",
        f"outside the measurements {around['errors']} errors, {around['wrong_answers']} wrong answers",
    )
    verdict = "[green]good[/green]" if result["good"] else "[red]not good[/red]"
    return f"{verdict}: {'; '.join(facts)}"


def _tables(result: Figures) -> Iterator[Table]:
    if levels := result["runs"]:
        yield _table(_RATES, levels)
        yield _table(_COSTS, levels)
        yield _processes(levels)
    if found := result.get("open"):
        rows = [("FastAPI no-op", found["noop"]), ("Starlette no-op", found["lean_noop"]), ("scans", found["scans"])]
        yield _named(f"{found['offered_rps']:,.0f}/s offered", _OFFERED, rows)
        ratios = f"{found['p99_ratio']:.1f} · {found['lean_p99_ratio']:.1f}"
        yield _pairs({"p99 of scans ÷ FastAPI no-op · ÷ Starlette no-op": ratios})
    if found := result.get("beside"):
        first, last = found["without"]
        rows = [("alone before", first), ("beside other work", found["beside"]), ("alone after", last)]
        yield _named(f"{found['offered_rps']:,.0f} scans/s offered", _OFFERED, [*rows, *found["work"].items()])
        yield _pairs({"p99 of scans beside other work ÷ alone": f"{found['p99_ratio']:.2f}"})
    if found := result.get("burst"):
        yield _pairs({name: cell.format(**found) for name, cell in _BURST.items()})
    if found := result.get("inside"):
        yield _comparison(f"{INSIDE:,} inside", found)
    if found := result.get("large"):
        yield _large(found)


# Columns, or rows, with the figures that they show.
_RATES = {  # `lean` is Starlette's no-op; `batch` is the mean number of scans in one transaction
    "conn.": "{connections}",
    "no-op/s": "{noop_rps:,.0f}",
    "lean/s": "{lean_noop_rps:,.0f}",
    "scans/s": "{scan_rps:,.0f}",
    "÷ no-op": "{ratio:.2f}",
    "÷ lean": "{lean_ratio:.2f}",
    "p50 ms": "{p50_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "p50 ÷": "{p50_ratio:.1f}",
    "batch": "{mean_batch:.1f}",
}
_COSTS = {  # CPU ms of all processes but the load generator, which stands apart
    "conn.": "{connections}",
    "CPU ms a scan": "{cpu_ms_a_scan:.2f}",
    "a no-op": "{cpu_ms_a_noop:.2f}",
    "a lean": "{cpu_ms_a_lean_noop:.2f}",
    "÷ no-op": "{cpu_ratio:.2f}",
    "÷ lean": "{lean_cpu_ratio:.2f}",
    "generator": f"{{cpu_ms_per_scan[{GENERATOR}]:.2f}}",
    "errors": "{errors}",
    "wrong": "{wrong_answers}",
}
_OFFERED = {  # latency is from when a request was due; `late` is the share of those sent over 5 ms late
    "sent": "{asked:,}",
    "p50 ms": "{p50_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "max ms": "{most_ms:.1f}",
    "late": "{late_share:.1%}",
    "errors": "{errors}",
    "wrong": "{wrong_answers}",
}
_RUN = {
    "scans/s": "{scan_rps:,.0f}",
    "CPU ms a scan": "{cpu_ms_a_scan:.3f}",
    "p50 ms": "{p50_ms:.1f}",
    "p99 ms": "{p99_ms:.1f}",
    "errors": "{errors}",
    "wrong": "{wrong_answers}",
}
_BURST = {  # of the first answers; then how often scans were repeated until all were decided
    "burst": "{members:,} members within {within_s:g} s",
    "consumers": "{consumers}",
    "decided within 2 s": "{decided_within_2_s:.2%}",
    "p50 · p99 · max ms": "{p50_ms:.0f} · {p99_ms:.0f} · {most_ms:.0f}",
    "asked to retry": "{retries}",
    "refused as too late": "{too_late}",
    "errors · wrong": "{errors} · {wrong_answers}",
    "repeats · undecided after them": "{repeats} · {undecided}",
}


def _empty(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table


def _table(columns: Mapping[str, str], rows: Sequence[Figures]) -> Table:
    table = _empty(*columns)
    for row in rows:
        table.add_row(*(cell.format(**row) for cell in columns.values()))
    return table


def _named(first: str, columns: Mapping[str, str], rows: Iterable[tuple[str, Figures]]) -> Table:
    """A table whose rows have names in the first column."""
    table = _empty(first, *columns)
    for name, row in rows:
        table.add_row(name, *(cell.format(**row) for cell in columns.values()))
    return table


def _pairs(cells: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for name, cell in cells.items():
        table.add_row(name, cell)
    return table


def _processes(levels: Sequence[Figures]) -> Table:
    """CPU ms for one scan, by process; last what the no-ops' own replicas use for one answer."""
    table = _empty("CPU ms a scan", *(str(level["connections"]) for level in levels))
    costs: Sequence[Mapping[str, float]] = [level["cpu_ms_per_scan"] for level in levels]
    seen = {role: None for cost in costs for role, used in cost.items() if used >= _SHOWN_FROM_MS}
    for role in [role for role in _FIRST if role in seen] + [role for role in seen if role not in _FIRST]:
        counts = sorted({level["processes"].get(role, 1) for level in levels})
        label = role if counts == [1] else f"{role} ({'/'.join(map(str, counts))})"
        table.add_row(label, *(f"{cost.get(role, 0):.3f}" for cost in costs))
    for name, figure in (("FastAPI", "noop_cpu_ms"), ("Starlette", "lean_noop_cpu_ms")):
        table.add_row(f"one no-op, {name}'s replica", *(f"{level[figure]:.3f}" for level in levels))
    return table


def _comparison(what: str, found: Figures) -> Table:
    """Each run, and the ratio of the means."""
    runs = [*(("without", run) for run in found["without"]), *(("with", run) for run in found["under"])]
    table = _named(what, _RUN, runs)
    table.add_row("cost, with ÷ without", f"{found['time_ratio']:.3f}", f"{found['cpu_ratio']:.3f}")
    return table


def _large(found: Figures) -> Table:
    table = _comparison("a large past", found)
    for name in ("noop", "occupancy"):
        for place, when in enumerate(("before", "after")):
            rate, cpu_ms = found[f"{name}_rps"][place], found[f"{name}_cpu_ms"][place]
            table.add_row(f"{name} {when}", f"{rate:,.0f}", f"{cpu_ms:.3f}")
    return table
