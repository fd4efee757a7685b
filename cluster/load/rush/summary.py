"""The figures of a rush, the invariants that must hold after it, and both in lines."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from cluster.load.figures import Figures, percentile
from cluster.load.invariants import StoreComparison, compare_with_store
from cluster.load.rush.log import RushLog, Stage
from cluster.load.rush.visitors import RushOptions, time_of_day
from cluster.load.world import World
from domain.door.model import Outcome
from domain.door.reconcile import TableDisagreement, disagreements
from domain.unit_of_work import Store

KEEPS_PACE = 0.05  # share of late scans from which the latencies say more of the generator than of the doors
_LATE_S = 0.1
_MS = 1000
_MAX_DISAGREEMENTS = 3
_MARKS = {True: "ok", False: "VIOLATED", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that must hold after every rush.

    Args:
        name: stable, for programs.
        holds: None: it cannot be known, because a scan has no answer.
        detail: figures in words.
    """

    name: str
    holds: bool | None
    detail: str


def summarize(
    options: RushOptions, log: RushLog, invariants: Sequence[Invariant], minutes_done: float, *, is_interrupted: bool
) -> Figures:
    """The figures of a rush, of the simulated time unless they say otherwise.

    Args:
        minutes_done: simulated, until the end or the interruption.
    """
    records = log.of(Stage.RUSH)
    outcomes = Counter(record.answer.outcome for record in records if not record.is_held_up)
    late = sum(record.late_s > _LATE_S for record in records)
    return {
        "options": asdict(options),
        "minutes_done": round(minutes_done, 1),
        "scans": len(records),
        "entered": outcomes[Outcome.ENTERED],
        "left": outcomes[Outcome.LEFT],
        "refused": dict(Counter(str(record.answer.reason) for record in records if record.answer.reason).most_common()),
        "held_up": sum(record.is_held_up for record in records),  # answered again to a phone that was still there
        "retold": log.recovered,  # lost answers that were given again
        "repeats": sum(record.repeats for record in log.records),  # of scans that had no answer
        "latency": latency_of([record.took_s for record in records]),
        "busiest_per_second": max(Counter(int(record.second) for record in records).values(), default=0),
        "late": late,  # scans sent more than 100 ms after they were due
        "most_late_ms": round(max((record.late_s for record in records), default=0.0) * _MS, 1),
        "keeps_pace": late <= KEEPS_PACE * len(records),
        "forgotten": log.forgotten,  # left without scanning; the doors count them as inside
        "came_before": _count(log, Stage.FILLING, Outcome.ENTERED),  # before the clock began
        "let_out": _count(log, Stage.LETTING_OUT, Outcome.LEFT),  # after it had ended
        "remain_inside": len(log.answers.inside),
        "unanswered": log.answers.unanswered,
        "invariants": [asdict(invariant) for invariant in invariants],
        "is_good": all(invariant.holds is not False for invariant in invariants),
        "examples": list(log.answers.examples),
        "is_interrupted": is_interrupted,
    }


def latency_of(seconds: Sequence[float]) -> Figures:
    """Milliseconds from when scans were due to their answers."""
    ordered = sorted(seconds)
    shares = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "most_ms": 1.0}
    return {name: round(percentile(ordered, share) * _MS, 1) for name, share in shares.items()}


def check_invariants(store: Store, world: World, log: RushLog, since: UUID) -> list[Invariant]:
    """Check everything that must hold after a rush.

    Args:
        since: an id older than every scan of the rush.
    """
    found = list(_of_answers(log))
    try:
        with store.reading() as connection:
            before = [gym_id for _, gym_id in world.left_inside]
            compared = compare_with_store(connection, world.gym_ids, log.answers, since, before)
            return [*found, *_of_store(log, compared, disagreements(connection))]
    except SQLAlchemyError as error:
        # Its own text may hold the address with the password.
        return [*found, Invariant("store_read", None, f"the store cannot be read: {type(error).__name__}")]


def _of_answers(log: RushLog) -> Iterator[Invariant]:
    """What can be known without the store."""
    answers, wrong = len(log.answers.answers), log.answers.wrong
    yield Invariant("answers_right", not wrong, f"{answers - wrong:,} of {answers:,} answers are right")
    yield Invariant("questions_accepted", not log.rejected, f"{log.rejected} requests were rejected")
    alike = log.recovered - log.recovered_otherwise
    detail = f"{alike} of {log.recovered} lost answers were repeated unchanged"
    yield Invariant("retries_alike", not log.recovered_otherwise, detail)
    twice = log.answers.admitted_twice
    detail = f"{len(log.answers.admitted):,} passes admitted, {twice} of them twice"
    yield Invariant("code_admits_once", not twice, detail)


def _of_store(log: RushLog, store: StoreComparison, found: Sequence[TableDisagreement]) -> Iterator[Invariant]:
    """What the store shows."""
    detail = f"{store.lost} answers are not in the store, {store.stored_otherwise} differ there"
    yield Invariant("nothing_lost", not store.lost and not store.stored_otherwise, detail)
    is_known = not log.answers.unanswered
    detail = f"inside by the store {store.inside}, by the answers {len(log.answers.inside)}"
    yield Invariant("occupancy_as_counted", not store.wrongly_inside if is_known else None, detail)
    detail = f"{store.occupancy_broken} scans have an occupancy that does not follow from the scans before"
    yield Invariant("occupancy_follows", not store.occupancy_broken, detail)
    detail = f"{store.over_capacity} scans found more inside than the capacity"
    yield Invariant("never_over_capacity", not store.over_capacity, detail)
    words = "; ".join(f"{each.kind}: {each.detail}" for each in found[:_MAX_DISAGREEMENTS])
    yield Invariant("reconciled", not found, words or "visits, open visits and scans agree")


def _count(log: RushLog, stage: Stage, outcome: Outcome) -> int:
    return sum(record.answer.outcome is outcome for record in log.of(stage))


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
        f"{summary['repeats']} scans sent again because no answer came"
    )
    yield (
        f"latency   p50 {latency['p50_ms']:.0f} ms, p95 {latency['p95_ms']:.0f} ms, p99 {latency['p99_ms']:.0f} ms, "
        f"max {latency['most_ms']:.0f} ms, from when a scan was due; at most {summary['busiest_per_second']} a second"
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
