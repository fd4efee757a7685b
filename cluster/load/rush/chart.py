"""The picture of a rush: who was inside each gym, and the scans decided each second, over simulated time."""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cluster.load.figures import Figures
from cluster.load.rush.log import RecordedScan, RushLog, Stage
from cluster.load.rush.visitors import first_minute, time_of_day
from cluster.load.world import Gym, World
from domain.door.model import Outcome

# Of the palette of Okabe and Ito, which the colour-blind can tell apart (https://jfly.uni-koeln.de/color/).
_INSIDE, _ENTERED, _LEFT, _REFUSED = "#56B4E9", "#0072B2", "#009E73", "#D55E00"
_INK, _PALE = "#222222", "#888888"
_COLUMNS, _MAX_GYMS = 5, 15
_MAX_BARS, _POINTS = 120, 240
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 240)  # minutes between ticks
_SECONDS_PER_MINUTE = 60.0


def draw(path: Path, summary: Figures, log: RushLog, world: World) -> list[Path]:
    """Write the picture as PNG and SVG.

    Args:
        path: without an ending, or with one of the two.

    Returns:
        Both files.

    Raises:
        OSError: they cannot be written.
    """
    stem = path.with_suffix("") if path.suffix.lower() in {".png", ".svg"} else path
    figure = _figure(summary, log, world)
    files = [stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.svg")]
    files[0].parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(files[0], dpi=144)
    figure.savefig(files[1], metadata={"Date": None})
    return files


def _figure(summary: Figures, log: RushLog, world: World) -> Figure:
    shown = world.gyms[:_MAX_GYMS]
    rows = ceil(len(shown) / _COLUMNS)
    columns = min(_COLUMNS, len(shown))
    figure = Figure(figsize=(11, 3.4 + 1.7 * rows), layout="constrained")
    figure.suptitle(_title(summary), fontsize=13, fontweight="bold", color=_INK, x=0.01, ha="left")
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[*[1.0] * rows, 1.7])
    top = max(gym.capacity for gym in shown) * 1.12
    for place, gym in enumerate(shown):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        _gym(axes, gym, _occupancy(log, gym, summary["minutes_done"]), summary)
        axes.set_ylim(0, top)
        axes.tick_params(labelleft=place % columns == 0)
        if place == 0:
            where = (0.02, gym.capacity + top * 0.015)
            axes.text(*where, "capacity", transform=axes.get_yaxis_transform(), fontsize=8, color=_REFUSED)
        if place % columns == 0:
            axes.set_ylabel("inside", fontsize=9, color=_INK)
    _scans(figure.add_subplot(grid[rows, :]), log.of(Stage.RUSH), summary)
    return figure


def _title(summary: Figures) -> str:
    minutes, latency = summary["options"]["minutes"], summary["latency"]
    begin, end = time_of_day(0, minutes), time_of_day(summary["minutes_done"], minutes)
    stopped = ", interrupted" if summary["is_interrupted"] else ""
    refused = sum(summary["refused"].values())
    return (
        f"{begin} to {end}{stopped}: {summary['entered']:,} entered, {summary['left']:,} left, {refused:,} refused;  "
        f"answers in {latency['p50_ms']:.0f} ms, 99 of 100 within {latency['p99_ms']:.0f} ms"
    )


def _occupancy(log: RushLog, gym: Gym, minutes: float) -> tuple[list[float], list[int]]:
    """Minutes, and how many were inside from then on, by the answers."""
    before = [record for record in log.of(Stage.FILLING) if record.gym_id == gym.id]
    counted = sorted(
        (record for record in log.of(Stage.RUSH) if record.gym_id == gym.id and not record.is_held_up),
        key=lambda record: record.answer.decided_at,
    )
    # A batch is decided at one moment: its result is in the greatest answer.
    begin = max((record.answer.occupancy for record in before), default=0)
    times = list(accumulate([0.0, *(min(record.minute, minutes) for record in counted), minutes], max))
    inside = [begin, *(record.answer.occupancy for record in counted)]
    return times, [*inside, inside[-1]]


def _gym(axes: Axes, gym: Gym, series: tuple[list[float], list[int]], summary: Figures) -> None:
    most = max(series[1])
    times, inside = _thinned(*series)
    axes.fill_between(times, inside, step="post", color=_INSIDE, alpha=0.55, linewidth=0)
    axes.step(times, inside, where="post", color=_ENTERED, linewidth=1.2)
    axes.axhline(gym.capacity, color=_REFUSED, linewidth=1.2, linestyle="--")
    title = f"full with {most}" if most >= gym.capacity else f"{most} of {gym.capacity} at most"
    axes.set_title(f"{gym.name}: {title}", fontsize=9, color=_INK, loc="left")
    _time_axis(axes, summary, ticks=3)


def _thinned(times: list[float], inside: list[int]) -> tuple[list[float], list[int]]:
    """The last of many points where they are too close to be distinguished."""
    apart = (times[-1] or 1.0) / _POINTS
    kept = [
        place
        for place in range(len(times))
        if place in {0, len(times) - 1} or times[place + 1] // apart > times[place] // apart
    ]
    return [times[place] for place in kept], [inside[place] for place in kept]


def _scans(axes: Axes, records: Sequence[RecordedScan], summary: Figures) -> None:
    """The scans decided in a real second, as a stack of entries, exits and refusals."""
    per_second = summary["options"]["speed"] / _SECONDS_PER_MINUTE
    minutes = max(summary["minutes_done"], per_second)
    bars = max(1, min(_MAX_BARS, ceil(minutes / per_second)))
    width = minutes / bars
    starts = [place * width for place in range(bars)]
    floor = [0.0] * bars
    for outcome, label, colour in (
        (Outcome.ENTERED, "entered", _ENTERED),
        (Outcome.LEFT, "left", _LEFT),
        (Outcome.REFUSED, "refused", _REFUSED),
    ):
        heights = [0.0] * bars
        for record in records:
            if record.answer.outcome is outcome and not record.is_held_up:
                heights[min(bars - 1, int(record.minute / width))] += per_second / width
        axes.bar(
            starts, heights, width, floor, align="edge", color=colour, label=label, edgecolor="white", linewidth=0.3
        )
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    axes.set_title("Scans decided in a real second", fontsize=10, color=_INK, loc="left")
    axes.legend(loc="upper left", ncols=3, frameon=False, fontsize=9)
    axes.set_ylim(top=max(1.0, *floor) * 1.25)
    _time_axis(axes, summary, ticks=12)
    speed = f"time of day, simulated; {summary['options']['speed']:g} minutes of it pass in a real one"
    axes.set_xlabel(speed, fontsize=9, color=_INK)


def _time_axis(axes: Axes, summary: Figures, ticks: int) -> None:
    minutes = summary["options"]["minutes"]
    axes.set_xlim(0, minutes)
    begin = first_minute(minutes)
    step = next((step for step in _STEPS if minutes / step <= ticks), _STEPS[-1])
    axes.set_xticks([at - begin for at in range(ceil(begin / step) * step, int(begin + minutes) + 1, step)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda minute, _: time_of_day(minute, minutes)))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.tick_params(labelsize=8, colors=_INK, color=_PALE)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_PALE)
