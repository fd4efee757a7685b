"""Looks at a stack again and again, until Ctrl-C."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cluster.errors import CommandError
from cluster.status.display import memory, overview, processes
from cluster.status.documents import document
from cluster.status.kafka import Rates, rates
from cluster.status.report import Report, Reporter
from cluster.status.target import Target
from domain.clock import system_clock

Looked = tuple[Report | None, Mapping[str, Rates], str]


class Looks:
    """One look after the other at whichever stack is up.

    Args:
        within_s: how long a look may take, in seconds.
        find: names the stack; called at each look, for it may be stopped and another one started.
    """

    def __init__(self, within_s: float, find: Callable[[], Target] = Target.find) -> None:
        self._within_s = within_s
        self._find = find
        self._reporter: Reporter | None = None
        self._last: Report | None = None

    def look(self) -> Looked:
        """The report, the rates since the last look, and why there is no report."""
        try:
            target = self._find()
        except CommandError as error:
            self._reporter = self._last = None
            return None, {}, str(error)
        if self._reporter is None or self._reporter.target.url != target.url:
            self._reporter, self._last = Reporter(target, self._within_s), None
        self._reporter.target = target
        report, before = self._reporter.report(), self._last
        self._last = report
        if before is None:
            return report, {}, ""
        return report, rates(before.kafka, report.kafka, (report.at - before.at).total_seconds()), ""


def watch(looks: Looks, every_s: float, *, as_json: bool, console: Console) -> None:
    """Show each look until interrupted: on a screen of its own; where there is no screen one below the other.

    Args:
        looks: at what.
        every_s: from the beginning of one look to the next, in seconds.
        as_json: one object a line instead.
        console: where to.
    """
    if as_json:
        for looked in _again(looks, every_s):
            sys.stdout.write(_line(looked) + "\n")
            sys.stdout.flush()
    elif not console.is_terminal:
        for looked in _again(looks, every_s):
            console.print(whole(looked, console.width), Text(), sep="\n")
    else:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            for looked in _again(looks, every_s):
                live.update(fitted(looked, console, every_s), refresh=True)


def whole(looked: Looked, width: int) -> RenderableType:
    """Everything, as long as it is."""
    report, through, trouble = looked
    if report is None:
        return Text(trouble)
    return Group(overview(report, through, width), Text(), processes(report))


def fitted(looked: Looked, console: Console, every_s: float) -> RenderableType:
    """As much as the screen takes: of the processes a line where all would not fit."""
    report, through, trouble = looked
    foot = Text(f"{system_clock():%H:%M:%S} UTC, every {every_s:g} s; Ctrl-C ends", "dim")
    if report is None:
        return Group(Text(trouble), Text(), foot)
    rest: Sequence[RenderableType] = [Text(), processes(report), foot]
    shown = Group(overview(report, through, console.width), *rest)
    if len(console.render_lines(shown)) < console.height:
        return shown
    # First, for what does not fit is cut off at the end.
    return Group(memory(report).append("; ").append_text(foot), overview(report, through, console.width))


def _again(looks: Looks, every_s: float) -> Iterator[Looked]:
    while True:
        next_at = time.monotonic() + every_s
        yield looks.look()
        time.sleep(max(0.0, next_at - time.monotonic()))


def _line(looked: Looked) -> str:
    report, through, trouble = looked
    if report is None:
        return msgspec.json.encode({"at": system_clock(), "ready": False, "phase": None, "trouble": trouble}).decode()
    return msgspec.json.encode(document(report, through)).decode()
