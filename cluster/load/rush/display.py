"""How far a rush is: a live view on a terminal, else a line every few seconds."""

import time
from collections import Counter
from itertools import islice
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cluster.load.rush.books import Books, Stage
from cluster.load.rush.pace import Pace
from cluster.load.rush.summary import latency_of
from cluster.load.rush.times import clock
from cluster.load.rush.world import RushWorld

_LINE_EVERY_S = 3.0
_LATEST_S = 5.0  # what the figures of the moment are of
_ROWS = 20
_BAR = 40
_STAGES = {
    Stage.CLEARING: "an earlier rush left people inside: they go out",
    Stage.FILLING: "who is inside at the beginning comes in",
    Stage.RUSH: "rush",
    Stage.LETTING_OUT: "everybody goes out",
}


class Display:
    """Shows a rush on standard error; standard output is for its result."""

    def __init__(self, world: RushWorld, console: Console) -> None:
        self._world = world
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, stage: Stage, pace: Pace, books: Books) -> None:
        """Draw anew, or write a line if it is time for one."""
        if self._live is not None:
            self._live.update(self._drawn(stage, pace, books), refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            inside = sum(books.occupancy(len(self._world.gyms)))
            self._console.print(f"{_headline(stage, pace, books)}  {inside} inside", markup=False)

    def _drawn(self, stage: Stage, pace: Pace, books: Books) -> Group:
        gyms = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
        for gym, inside in islice(zip(self._world.gyms, books.occupancy(len(self._world.gyms)), strict=True), _ROWS):
            style = "red" if inside >= gym.capacity else "cyan"
            bar = ProgressBar(gym.capacity, inside, width=_BAR, complete_style=style, finished_style=style)
            gyms.add_row(gym.name, bar, f"{inside:>4} of {gym.capacity}")
        reasons = Counter(str(each.answer.reason) for each in books.of(Stage.RUSH) if each.answer.reason)
        refused = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        more = len(self._world.gyms) - _ROWS
        rest = [Text(f"and {more} more gyms")] if more > 0 else []
        words = [Text(f"refused: {refused}")] if refused else []
        return Group(Text(_headline(stage, pace, books), style="bold"), gyms, *rest, *words)


def _headline(stage: Stage, pace: Pace, books: Books) -> str:
    since = pace.seconds - _LATEST_S
    latest = []
    for heard in reversed(books.heard):
        if heard.second < since:
            break
        latest.append(heard.took_s)
    took = latency_of(latest)
    rate = len(latest) / min(_LATEST_S, max(1.0, pace.seconds))
    when = clock(min(pace.minute, pace.minutes), pace.minutes) if stage is Stage.RUSH else ""
    told = "stopping: waiting for what is under way" if pace.is_stopped else _STAGES[stage]
    figures = f"{rate:.0f} scans/s  p50 {took.p50_ms:.0f} ms  p99 {took.p99_ms:.0f} ms"
    return "  ".join(filter(None, (when, told, figures)))
