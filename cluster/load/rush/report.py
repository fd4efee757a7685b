"""The summary of a rush in lines."""

from collections.abc import Iterator

from cluster.load.figures import Figures
from cluster.load.rush.summary import KEEPS_PACE
from cluster.load.rush.visitors import RushOptions, time_of_day

_MARKS = {True: "ok", False: "VIOLATED", None: "unknown"}


def lines_of(summary: Figures) -> Iterator[str]:
    """One line for each thing to know."""
    options, latency = RushOptions(**summary["options"]), summary["latency"]
    begin, end = time_of_day(0, options.minutes), time_of_day(summary["minutes_done"], options.minutes)
    stopped = "interrupted, " if summary["is_interrupted"] else ""
    reasons = ", ".join(f"{reason} {count}" for reason, count in summary["refused"].items())
    refused = f"{sum(summary['refused'].values()):,} refused{f' ({reasons})' if reasons else ''}"
    yield f"rush      {stopped}{begin} to {end} at {options.speed:g} simulated minutes a minute, seed {options.seed}"
    yield (
        f"people    {options.members:,} members, {options.gyms} gyms; "
        f"{summary['came_before']:,} inside at the beginning"
    )
    yield f"scans     {summary['scans']:,}: {summary['entered']:,} entered, {summary['left']:,} left, {refused}"
    yield (
        f"repeated  {summary['held_up']} phones held up, {summary['retold']} lost answers given again, "
        f"{summary['repeats']} scans sent again for want of an answer"
    )
    yield (
        f"latency   p50 {latency['p50_ms']:.0f} ms, p95 {latency['p95_ms']:.0f} ms, p99 {latency['p99_ms']:.0f} ms, "
        f"most {latency['most_ms']:.0f} ms, from when a scan was due; at most {summary['busiest_per_second']} a second"
    )
    if summary["late"]:
        most = f"{summary['most_late_ms']:.0f} ms"
        yield f"late      {summary['late']:,} of {summary['scans']:,} scans were sent over 100 ms late, at most {most}"
    if not summary["keeps_pace"]:
        yield (
            f"          more than {KEEPS_PACE:.0%}: this machine cannot keep the pace, and the latency above is "
            "the load generator's too; choose a smaller --speed"
        )
    yield (
        f"inside    {summary['remain_inside']:,} remain; {summary['let_out']:,} were let out after the end, "
        f"{summary['forgotten']:,} had left without scanning"
    )
    if summary["unanswered"]:
        yield f"unknown   {summary['unanswered']} scans have no answer"
    for invariant in summary["invariants"]:
        yield f"{_MARKS[invariant['holds']]:<8}  {invariant['detail']}"
    for example in summary["examples"]:
        yield f"          {example}"
