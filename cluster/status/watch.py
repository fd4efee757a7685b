"""`fitmonitor status --watch`: reports again and again, until Ctrl-C."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cluster.errors import CommandError
from cluster.status.display import memory, overview, processes
from cluster.status.kafka import Rates, rates
from cluster.status.report import Report, report_as_json
from cluster.status.reporter import Reporter
from cluster.status.target import Target
from domain.clock import system_clock


@dataclass(frozen=True, slots=True)
class Observation:
    """One report, and the rates since the one before; or the error that prevents a report."""

    report: Report | None
    rates: Mapping[str, Rates] = field(default_factory=dict)
    error: str = ""


class Observer:
    """Makes a report of whichever stack is running, each time it is called.

    Args:
        timeout_s: of each query, in seconds.
        find: returns the stack; called each time, because the stack may be stopped and another one started.
    """

    def __init__(self, timeout_s: float, find: Callable[[], Target] = Target.find) -> None:
        self._timeout_s = timeout_s
        self._find = find
        self._reporter: Reporter | None = None
        self._last: Report | None = None

    def observe(self) -> Observation:
        """Make a report now."""
        try:
            target = self._find()
        except CommandError as error:
            self._reporter = self._last = None
            return Observation(None, error=str(error))
        if self._reporter is None or self._reporter.target.url != target.url:
            self._reporter, self._last = Reporter(target, self._timeout_s), None
        self._reporter.target = target
        report, before = self._reporter.report(), self._last
        self._last = report
        if before is None:
            return Observation(report)
        return Observation(report, rates(before.kafka, report.kafka, (report.at - before.at).total_seconds()))


def watch(observer: Observer, interval_s: float, *, as_json: bool, console: Console) -> None:
    """Show reports until interrupted: on an alternate screen; where there is no terminal, one below the other.

    Args:
        observer: makes them.
        interval_s: between the starts of two reports, in seconds.
        as_json: print each as one line of JSON instead.
        console: to print on.
    """
    if as_json:
        for observation in _observations(observer, interval_s):
            sys.stdout.write(_json_line(observation) + "\n")
            sys.stdout.flush()
    elif not console.is_terminal:
        for observation in _observations(observer, interval_s):
            console.print(full_view(observation, console.width), Text(), sep="\n")
    else:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for observation in _observations(observer, interval_s):
                live.update(fitted_view(observation, console, interval_s), refresh=True)


def full_view(observation: Observation, width: int) -> RenderableType:
    """Everything, however long it is."""
    if observation.report is None:
        return Text(observation.error)
    return Group(overview(observation.report, observation.rates, width), Text(), processes(observation.report))


def fitted_view(observation: Observation, console: Console, interval_s: float) -> RenderableType:
    """What fits on the screen: the processes on one line where there is no room for all."""
    report = observation.report
    footer = Text(f"{system_clock().astimezone():%H:%M:%S %Z}, every {interval_s:g} s; Ctrl-C ends", "dim")
    if report is None:
        return Group(Text(observation.error), Text(), footer)
    rest: Sequence[RenderableType] = [Text(), processes(report), footer]
    view = Group(overview(report, observation.rates, console.width), *rest)
    if len(console.render_lines(view)) < console.height:
        return view
    # At the top, because the screen cuts off the end.
    return Group(memory(report).append("; ").append_text(footer), overview(report, observation.rates, console.width))


def _observations(observer: Observer, interval_s: float) -> Iterator[Observation]:
    while True:
        next_at = time.monotonic() + interval_s
        yield observer.observe()
        time.sleep(max(0.0, next_at - time.monotonic()))


def _json_line(observation: Observation) -> str:
    if observation.report is None:
        document = {"at": system_clock(), "ready": False, "phase": None, "trouble": observation.error}
    else:
        document = report_as_json(observation.report, observation.rates)
    return msgspec.json.encode(document).decode()
