"""The benchmark on a terminal: progress, a table for each part, and the verdict."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.status import Status
from rich.table import Table

from cluster.load.benchmark.burst import IN_TIME_S
from cluster.load.benchmark.closed_loop import INSIDE
from cluster.load.benchmark.measurements import GENERATOR
from cluster.load.figures import Figures, disturbance_in, ratio

_QUIET_BELOW = 0.1
_FIRST = ("gateway", "qr", "door_consumer", "gym", "kafka", "mariadb", "haproxy", GENERATOR)
_SHOWN_FROM_MS = 0.001
_MOST_DISAGREEMENTS = 5


class TerminalProgress:
    """Shows progress to a person.

    Args:
        status: the line that says what is being done.
    """

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def step(self, what: str) -> None:
        """See `Progress`."""
        self._status.update(what)

    def line(self, text: str) -> None:
        """See `Progress`."""
        self._console.print(text)


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
    for line in (*result["examples"], *result["disagreements"][:_MOST_DISAGREEMENTS]):
        console.print(f"  {line}", markup=False)


def _verdict(result: Figures) -> str:
    store, around = result["store"], result["around"]
    facts = (
        f"{store['answered']:,} answers, {store['stored']:,} scans stored",
        f"{store['lost']} lost",
        f"{store['stored_otherwise']} stored otherwise",
        f"{store['wrongly_inside']} wrongly inside or outside",
        f"{store['occupancy_broken']} with another occupancy than the scans before make",
        f"{store['over_capacity']} over capacity",
        f"{result['admitted_twice']} passes admitted twice",
        f"{len(result['disagreements'])} disagreements",
        f"around the measurements {around['errors']} errors, {around['wrong_answers']} wrong",
    )
    verdict = "[green]good[/green]" if result["good"] else "[red]not good[/red]"
    return f"{verdict}: {'; '.join(facts)}"


def _tables(result: Figures) -> Iterator[Table]:
    if levels := result["runs"]:
        yield _rates(levels)
        yield _costs(levels)
        yield _processes(levels)
    if "open" in result:
        yield _open_loop(result["open"])
    if "beside" in result:
        yield _beside(result["beside"])
    if "burst" in result:
        yield _burst(result["burst"])
    if "inside" in result:
        yield _comparison(f"{INSIDE:,} inside", result["inside"])
    if "large" in result:
        yield _large(result["large"])


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table


def _rates(levels: Sequence[Figures]) -> Table:
    """Rates of the no-ops (FastAPI, Starlette) and of scans; `batch` is the mean number of scans in one transaction."""
    table = _table("conn.", "no-op/s", "lean/s", "scans/s", "÷ no-op", "÷ lean", "p50 ms", "p99 ms", "p50 ÷", "batch")
    for level in levels:
        table.add_row(
            str(level["connections"]),
            *(f"{level[name]:,.0f}" for name in ("noop_rps", "lean_noop_rps", "scan_rps")),
            *(f"{level[name]:.2f}" for name in ("ratio", "lean_ratio")),
            *(f"{level[name]:.1f}" for name in ("p50_ms", "p99_ms", "p50_ratio", "mean_batch")),
        )
    return table


def _costs(levels: Sequence[Figures]) -> Table:
    """CPU ms of all processes but the load generator, which stands apart; and the errors."""
    table = _table("conn.", "CPU ms a scan", "a no-op", "a lean", "÷ no-op", "÷ lean", "generator", "errors", "wrong")
    costs = ("cpu_ms_a_scan", "cpu_ms_a_noop", "cpu_ms_a_lean_noop", "cpu_ratio", "lean_cpu_ratio")
    for level in levels:
        table.add_row(
            str(level["connections"]),
            *(f"{level[name]:.2f}" for name in costs),
            f"{level['cpu_ms_per_scan'].get(GENERATOR, 0):.2f}",
            str(level["errors"]),
            str(level["wrong_answers"]),
        )
    return table


def _processes(levels: Sequence[Figures]) -> Table:
    """CPU ms for one scan, by process; last what the no-ops' own replicas use for one answer."""
    table = _table("CPU ms a scan", *(str(level["connections"]) for level in levels))
    costs: Sequence[Mapping[str, float]] = [level["cpu_ms_per_scan"] for level in levels]
    seen = {role: None for cost in costs for role, used in cost.items() if used >= _SHOWN_FROM_MS}
    for role in [role for role in _FIRST if role in seen] + [role for role in seen if role not in _FIRST]:
        counts = sorted({level["processes"].get(role, 1) for level in levels})
        label = role if counts == [1] else f"{role} ({'/'.join(map(str, counts))})"
        table.add_row(label, *(f"{cost.get(role, 0):.3f}" for cost in costs))
    for name, figure in (("FastAPI", "noop_cpu_ms"), ("Starlette", "lean_noop_cpu_ms")):
        table.add_row(f"one no-op, {name}'s replica", *(f"{level[figure]:.3f}" for level in levels))
    return table


def _open_loop(found: Figures) -> Table:
    """Latency from when a request was due; `late` is the share of those sent over 5 ms late."""
    table = _offered_table(f"{found['offered_rps']:,.0f}/s offered", "÷ p99")
    for name, part in (("FastAPI no-op", "noop"), ("Starlette no-op", "lean_noop"), ("scans", "scans")):
        against = ratio(found["scans"]["p99_ms"], found[part]["p99_ms"])
        table.add_row(name, *_offered_cells(found[part]), f"{against:.1f}")
    return table


def _beside(found: Figures) -> Table:
    """Scans alone and beside other work, then the other work itself."""
    table = _offered_table(f"{found['offered_rps']:,.0f} scans/s offered", "p99 ÷ alone")
    for offered in found["without"]:
        table.add_row("alone", *_offered_cells(offered), "")
    table.add_row("beside other work", *_offered_cells(found["beside"]), f"{found['p99_ratio']:.2f}")
    for name, offered in found["work"].items():
        table.add_row(f"  {name}", *_offered_cells(offered), "")
    return table


def _offered_table(first: str, last: str) -> Table:
    return _table(first, "asked", "p50 ms", "p99 ms", "most ms", "late", "errors", "wrong", last)


def _offered_cells(offered: Figures) -> Sequence[str]:
    latencies = (f"{offered[name]:.1f}" for name in ("p50_ms", "p99_ms", "most_ms"))
    faults = (str(offered[name]) for name in ("errors", "wrong_answers"))
    return f"{offered['asked']:,}", *latencies, f"{100 * offered['late_share']:.1f} %", *faults


def _burst(found: Figures) -> Table:
    """The first answers; then how often scans were repeated until all were decided."""
    table = _table("burst", f"{found['members']:,} members within {found['within_s']:g} s")
    for name, value in (
        ("consumers", str(found["consumers"])),
        (f"decided within {IN_TIME_S:g} s", f"{100 * found['decided_within_2_s']:.2f} %"),
        ("p50 · p99 · most ms", f"{found['p50_ms']:.0f} · {found['p99_ms']:.0f} · {found['most_ms']:.0f}"),
        ("asked to retry", str(found["retries"])),
        ("refused as too late", str(found["too_late"])),
        ("errors · wrong", f"{found['errors']} · {found['wrong_answers']}"),
        ("repeats · undecided after them", f"{found['repeats']} · {found['undecided']}"),
    ):
        table.add_row(name, value)
    return table


def _comparison(what: str, found: Figures) -> Table:
    """Each run, and the ratio of the means."""
    table = _table(what, "scans/s", "CPU ms a scan", "p50 ms", "p99 ms", "errors", "wrong")
    columns = ("scan_rps", "cpu_ms_a_scan", "p50_ms", "p99_ms", "errors", "wrong_answers")
    for name, runs in (("without", found["without"]), ("with", found["under"])):
        for run in runs:
            table.add_row(name, *(str(run[column]) for column in columns))
    table.add_row("cost, with ÷ without", f"{found['time_ratio']:.3f}", f"{found['cpu_ratio']:.3f}")
    return table


def _large(found: Figures) -> Table:
    table = _comparison("a large past", found)
    for name in ("noop", "occupancy"):
        for place, when in enumerate(("before", "after")):
            rate, cpu_ms = found[f"{name}_rps"][place], found[f"{name}_cpu_ms"][place]
            table.add_row(f"{name} {when}", f"{rate:,.0f}", f"{cpu_ms:.3f}")
    return table
