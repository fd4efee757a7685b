"""The progress of a rush: a live view on a terminal, otherwise a line every few seconds."""

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

from cluster.load.rush.log import RushLog, Stage
from cluster.load.rush.simulated_clock import SimulatedClock
from cluster.load.rush.summary import latency_of
from cluster.load.rush.visitors import time_of_day
from cluster.load.world import World

_LINE_EVERY_S = 3.0
_LATEST_S = 5.0  # the current figures are of so many seconds
_ROWS = 20
_BAR = 40
_STAGES = {
    Stage.CLEARING: "members left inside by an earlier rush leave",
    Stage.FILLING: "members who are inside at the beginning enter",
    Stage.RUSH: "rush",
    Stage.LETTING_OUT: "everybody leaves",
}


class Display:
    """Shows a rush on standard error; standard output is for its result."""

    def __init__(self, world: World, console: Console) -> None:
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

    def show(self, stage: Stage, clock: SimulatedClock, log: RushLog) -> None:
        """Update the live view, or write a line if it is time for one."""
        if self._live is not None:
            self._live.update(self._view(stage, clock, log), refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY_S
            inside = len(log.answers.inside)
            self._console.print(f"{_headline(stage, clock, log)}  {inside} inside", markup=False)

    def _view(self, stage: Stage, clock: SimulatedClock, log: RushLog) -> Group:
        gyms = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
        for gym, inside in islice(zip(self._world.gyms, log.occupancy(self._world.gym_ids), strict=True), _ROWS):
            style = "red" if inside >= gym.capacity else "cyan"
            bar = ProgressBar(gym.capacity, inside, width=_BAR, complete_style=style, finished_style=style)
            gyms.add_row(gym.name, bar, f"{inside:>4} of {gym.capacity}")
        reasons = Counter(str(record.answer.reason) for record in log.of(Stage.RUSH) if record.answer.reason)
        refused = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        more = len(self._world.gyms) - _ROWS
        rest = [Text(f"and {more} more gyms")] if more > 0 else []
        refusals = [Text(f"refused: {refused}")] if refused else []
        return Group(Text(_headline(stage, clock, log), style="bold"), gyms, *rest, *refusals)


def _headline(stage: Stage, clock: SimulatedClock, log: RushLog) -> str:
    since = clock.seconds - _LATEST_S
    latest = []
    for record in reversed(log.records):
        if record.second < since:
            break
        latest.append(record.took_s)
    latency = latency_of(latest)
    rate = len(latest) / min(_LATEST_S, max(1.0, clock.seconds))
    when = time_of_day(min(clock.minute, clock.minutes), clock.minutes) if stage is Stage.RUSH else ""
    activity = "stopping: waiting for scans under way" if clock.is_stopped else _STAGES[stage]
    figures = f"{rate:.0f} scans/s  p50 {latency['p50_ms']:.0f} ms  p99 {latency['p99_ms']:.0f} ms"
    return "  ".join(filter(None, (when, activity, figures)))
