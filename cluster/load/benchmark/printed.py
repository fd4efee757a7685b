"""What a bench says while it runs and at its end."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.status import Status

from cluster.load.benchmark.findings import Findings
from cluster.load.benchmark.report import tables_of

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
            f"loaded: {loaded['gyms']} gyms, {loaded['gates']} gates, {loaded['members']} members for levels and open "
            "loop; "
            f"{loaded['devices']} devices, enough to leave their limit of {loaded['scans_per_device_per_second']:g} "
            f"scans/s each as it is"
        )
        self._console.print(
            f"asked: {100 * loaded['refused_share']:g} % of the scans must be refused; seed {loaded['seed']}; "
            "own client: wrk and oha cannot hold each answer against what it must be"
        )

    def said(self, line: str) -> None:
        """Say the figures of one measurement."""
        self._console.print(line)

    def end(self, findings: Findings) -> None:
        """Say all of it."""
        for table in tables_of(findings):
            self._console.print(table)
        self._console.print(_verdict(findings))
        if disturbed := _disturbed(findings):
            self._console.print(f"[yellow]{disturbed}[/yellow]")
        for example in findings.examples:
            self._console.print(f"  {example}", markup=False)
        for disagreement in findings.disagreements[:5]:
            self._console.print(f"  {disagreement}", markup=False)


def _disturbed(findings: Findings) -> str:
    if findings.others_share < _QUIET_BELOW:
        return ""
    most = 100 * findings.others_share
    return f"not quiet: other programs used up to {most:.0f} % of the processors; compare ratios, not figures"


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
