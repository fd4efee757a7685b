"""What a bench prints."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table

from cluster.bench.figures import GENERATOR, Findings, Level

_FIGURES = (
    "conn.",
    "no-op/s",
    "lean/s",
    "scans/s",
    "ratio",
    "p50 ms",
    "p99 ms",
    "errors",
    "wrong",
    "batch",
    "CPU ms",
)
_FIRST = ("gateway", "qr", "door_consumer", "gym", "kafka", "mariadb", "haproxy", GENERATOR)
_SHOWN_FROM_MS = 0.001
_QUIET_BELOW = 0.1


class Printed:
    """Tells a person at a terminal.

    Args:
        console: where.
        status: the line that says what is being done.
    """

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status

    def now(self, what: str) -> None:
        """Say what is being done."""
        self._status.update(what)

    def found(self, durability: Mapping[str, str], loaded: Mapping[str, Any]) -> None:
        """Say on which settings durability rests, and what was loaded."""
        self._console.print("durable: " + ", ".join(f"{name}={value}" for name, value in durability.items()))
        self._console.print(
            f"loaded: {loaded['gyms']} gyms, {loaded['gates']} gates, {loaded['members']} members; "
            f"{loaded['devices']} devices, enough to leave their limit of {loaded['scans_per_device_per_second']:g} "
            f"scans/s each as it is"
        )
        self._console.print(
            f"asked: {100 * loaded['refused_share']:g} % of the scans must be refused; seed {loaded['seed']}; "
            "own client: wrk and oha cannot hold each answer against what it must be"
        )

    def level(self, level: Level) -> None:
        """Say the figures of one number of connections."""
        scan = level.scans.rate
        self._console.print(
            f"{level.connections:>4} connections: {scan.per_second:,.0f} scans/s, "
            f"{level.ratio:.2f} of {level.noop.per_second:,.0f} no-ops/s, "
            f"p50 {scan.p50_ms:.1f} ms, p99 {scan.p99_ms:.1f} ms"
        )

    def end(self, findings: Findings) -> None:
        """Say all of it."""
        self._console.print(_figures(findings))
        self._console.print(_processors(findings))
        self._console.print(_verdict(findings))
        if disturbed := _disturbed(findings):
            self._console.print(f"[yellow]{disturbed}[/yellow]")
        for example in findings.examples:
            self._console.print(f"  {example}", markup=False)
        for disagreement in findings.disagreements[:5]:
            self._console.print(f"  {disagreement}", markup=False)


def _figures(findings: Findings) -> Table:
    """Rates of the no-ops (FastAPI, Starlette) and of scans; `batch` is the mean number of scans in one transaction."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for name in _FIGURES:
        table.add_column(name, justify="right", no_wrap=True)
    for level in findings.levels:
        scan = level.scans.rate
        apart = {GENERATOR, level.noop_role, level.lean_noop_role}
        total = sum(used for role, used in scan.cpu_ms.items() if role not in apart)
        table.add_row(
            str(level.connections),
            f"{level.noop.per_second:,.0f}",
            f"{level.lean_noop.per_second:,.0f}",
            f"{scan.per_second:,.0f}",
            f"{level.ratio:.2f}",
            f"{scan.p50_ms:.1f}",
            f"{scan.p99_ms:.1f}",
            str(scan.errors),
            str(level.scans.wrong),
            f"{level.scans.mean_batch:.1f}",
            f"{total:.2f}",
        )
    return table


def _processors(findings: Findings) -> Table:
    """CPU ms for one scan, by process; last what the no-ops' own replicas use for one answer."""
    table = Table("CPU ms for one scan", box=None, header_style="bold")
    for level in findings.levels:
        table.add_column(str(level.connections), justify="right", no_wrap=True)
    seen = {
        role: None
        for level in findings.levels
        for role, used in level.scans.rate.cpu_ms.items()
        if used >= _SHOWN_FROM_MS
    }
    ordered = [role for role in _FIRST if role in seen] + [role for role in seen if role not in _FIRST]
    for role in ordered:
        counts = {level.scans.rate.processes.get(role, 1) for level in findings.levels}
        label = role if counts == {1} else f"{role} ({'/'.join(map(str, sorted(counts)))})"
        table.add_row(label, *(f"{level.scans.rate.cpu_ms.get(role, 0):.3f}" for level in findings.levels))
    table.add_row(
        "one no-op, FastAPI's replica",
        *(f"{level.noop.cpu_ms.get(level.noop_role, 0):.3f}" for level in findings.levels),
    )
    table.add_row(
        "one no-op, Starlette's replica",
        *(f"{level.lean_noop.cpu_ms.get(level.lean_noop_role, 0):.3f}" for level in findings.levels),
    )
    return table


def _disturbed(findings: Findings) -> str:
    rates = [rate for level in findings.levels for rate in (level.noop, level.lean_noop, level.scans.rate)]
    most = max((rate.others_share for rate in rates), default=0.0)
    if most < _QUIET_BELOW:
        return ""
    return f"not quiet: other programs used up to {100 * most:.0f} % of the processors; compare ratios, not figures"


def _verdict(findings: Findings) -> str:
    stored = findings.stored
    told = [
        f"{stored.answered:,} answers, {stored.stored:,} scans stored",
        f"{stored.lost} lost",
        f"{stored.stored_otherwise} stored otherwise",
        f"{stored.wrongly_inside} wrongly inside or outside",
        f"{len(findings.disagreements)} disagreements",
        f"around the measurements {findings.around['errors']} errors, {findings.around['wrong_answers']} wrong",
    ]
    colour = "green" if findings.is_good else "red"
    return f"[{colour}]{'good' if findings.is_good else 'not good'}[/{colour}]: " + "; ".join(told)
