"""The summary of a rush, in lines."""

from collections.abc import Iterator

from cluster.load.rush.summary import KEEPS_PACE, Summary
from cluster.load.rush.times import clock

_MARKS = {True: "ok", False: "NOT SO", None: "unknown"}


def lines_of(summary: Summary) -> Iterator[str]:
    """One for each thing to know."""
    wish, latency = summary.wish, summary.latency
    begin, end = clock(0, wish.minutes), clock(summary.minutes_done, wish.minutes)
    stopped = "interrupted, " if summary.is_interrupted else ""
    yield f"rush      {stopped}{begin} to {end} at {wish.speed:g} simulated minutes a minute, seed {wish.seed}"
    yield f"people    {wish.members:,} members, {wish.gyms} gyms; {summary.came_before:,} were inside at the beginning"
    yield f"scans     {summary.scans:,}: {summary.entered:,} entered, {summary.left:,} left, {_refused(summary)}"
    yield (
        f"again     {summary.held_up} phones held up, {summary.retold} answers lost and told again, "
        f"{summary.repeats} questions asked again for want of an answer"
    )
    yield (
        f"latency   p50 {latency.p50_ms:.0f} ms, p95 {latency.p95_ms:.0f} ms, p99 {latency.p99_ms:.0f} ms, "
        f"most {latency.most_ms:.0f} ms, from when a scan was due; at most {summary.busiest_per_second} a second"
    )
    yield from _pace(summary)
    yield (
        f"inside    {summary.remain_inside:,} remain; {summary.let_out:,} were let out after the end, "
        f"{summary.forgotten:,} had gone without scanning out"
    )
    if summary.unanswered:
        yield f"unknown   {summary.unanswered} scans have no answer"
    for invariant in summary.invariants:
        yield f"{_MARKS[invariant.holds]:<8}  {invariant.told}"
    for example in summary.examples:
        yield f"          {example}"


def _refused(summary: Summary) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in summary.refused.items())
    return f"{sum(summary.refused.values()):,} refused{f' ({reasons})' if reasons else ''}"


def _pace(summary: Summary) -> Iterator[str]:
    if not summary.late:
        return
    most = f"{summary.most_late_ms:.0f} ms"
    yield f"late      {summary.late:,} of {summary.scans:,} scans were sent over 100 ms late, at most {most}"
    if not summary.keeps_pace:
        yield (
            f"          more than {KEEPS_PACE:.0%}: this machine cannot keep the pace, and the latency above is "
            "the generator's too; choose a smaller --speed"
        )
