"""The figures of a rush, and the invariants that must hold after it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.load.figures import percentile
from cluster.load.invariants import StoreComparison
from cluster.load.rush.log import RecordedScan, RushLog, Stage
from cluster.load.rush.visitors import RushOptions
from domain.door.model import Outcome
from domain.door.reconcile import Disagreement

KEEPS_PACE = 0.05  # share of late scans from which the latencies say more of the generator than of the doors
_LATE_S = 0.1
_MS = 1000
_MOST_DISAGREEMENTS = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from when a scan was due to its answer."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float


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


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of the simulated time alone, except the last six.

    Args:
        minutes_done: simulated, until the end or the interruption.
        scans: answered scans.
        held_up: entries that were answered again to a phone that was still there.
        retold: lost answers that were given again.
        repeats: how often a device had to repeat a scan to get an answer.
        late: scans sent more than 100 ms after they were due.
        forgotten: visitors who left without scanning; the doors count them as inside.
        came_before: who entered before the clock began.
        let_out: who left after it had ended.
        remain_inside: who is inside now.
        unanswered: scans whose answer is not known.
        examples: sentences about what went wrong.
    """

    options: RushOptions
    minutes_done: float
    scans: int
    entered: int
    left: int
    refused: dict[str, int]
    held_up: int
    retold: int
    repeats: int
    latency: Latency
    busiest_per_second: int
    late: int
    most_late_ms: float
    forgotten: int
    came_before: int
    let_out: int
    remain_inside: int
    unanswered: int
    invariants: list[Invariant]
    examples: list[str]
    is_interrupted: bool

    @property
    def is_good(self) -> bool:
        """Whether no invariant is violated."""
        return all(invariant.holds is not False for invariant in self.invariants)

    @property
    def keeps_pace(self) -> bool:
        """Whether the load generator sent its scans when they were due."""
        return self.late <= KEEPS_PACE * self.scans

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return {**asdict(self), "is_good": self.is_good, "keeps_pace": self.keeps_pace}


def summarize(
    options: RushOptions, log: RushLog, invariants: list[Invariant], minutes_done: float, *, is_interrupted: bool
) -> Summary:
    """The figures of a rush."""
    records = log.of(Stage.RUSH)
    outcomes = Counter(record.answer.outcome for record in records if not record.is_held_up)
    return Summary(
        options=options,
        minutes_done=round(minutes_done, 1),
        scans=len(records),
        entered=outcomes[Outcome.ENTERED],
        left=outcomes[Outcome.LEFT],
        refused=dict(Counter(str(record.answer.reason) for record in records if record.answer.reason).most_common()),
        held_up=sum(record.is_held_up for record in records),
        retold=log.retold,
        repeats=sum(record.repeats for record in log.records),
        latency=latency_of([record.took_s for record in records]),
        busiest_per_second=_busiest(records),
        late=sum(record.late_s > _LATE_S for record in records),
        most_late_ms=round(max((record.late_s for record in records), default=0.0) * _MS, 1),
        forgotten=log.forgotten,
        came_before=_count(log, Stage.FILLING, Outcome.ENTERED),
        let_out=_count(log, Stage.LETTING_OUT, Outcome.LEFT),
        remain_inside=len(log.answers.inside),
        unanswered=log.answers.unanswered,
        invariants=invariants,
        examples=list(log.answers.examples),
        is_interrupted=is_interrupted,
    )


def latency_of(seconds: Sequence[float]) -> Latency:
    """Percentiles by the nearest rank; zeros where there is nothing."""
    ordered = sorted(seconds)
    p50, p95, p99, most = (round(percentile(ordered, share) * _MS, 1) for share in (0.5, 0.95, 0.99, 1.0))
    return Latency(p50, p95, p99, most)


def invariants_of_answers(log: RushLog) -> Iterator[Invariant]:
    """What can be known without the store."""
    answers, wrong = len(log.answers.answers), log.answers.wrong
    yield Invariant("answers_right", not wrong, f"{answers - wrong:,} of {answers:,} answers are right")
    yield Invariant("questions_accepted", not log.rejected, f"{log.rejected} requests were rejected")
    alike = log.retold - log.retold_otherwise
    detail = f"{alike} of {log.retold} lost answers were repeated unchanged"
    yield Invariant("retries_alike", not log.retold_otherwise, detail)
    twice = log.answers.admitted_twice
    detail = f"{len(log.answers.admitted):,} passes admitted, {twice} of them twice"
    yield Invariant("code_admits_once", not twice, detail)


def invariants_of_store(
    log: RushLog, store: StoreComparison, disagreements: Sequence[Disagreement]
) -> Iterator[Invariant]:
    """What the store shows."""
    detail = f"{store.lost} answers are not in the store, {store.stored_otherwise} differ there"
    yield Invariant("nothing_lost", not store.lost and not store.stored_otherwise, detail)
    is_known = not log.answers.unanswered
    detail = f"inside by the store {store.inside}, by the answers {len(log.answers.inside)}"
    yield Invariant("occupancy_as_counted", not store.wrongly_inside if is_known else None, detail)
    detail = f"{store.occupancy_broken} scans have another occupancy than the scans before them make"
    yield Invariant("occupancy_follows", not store.occupancy_broken, detail)
    detail = f"{store.over_capacity} scans found more inside than the capacity"
    yield Invariant("never_over_capacity", not store.over_capacity, detail)
    words = "; ".join(f"{each.kind}: {each.detail}" for each in disagreements[:_MOST_DISAGREEMENTS])
    yield Invariant("reconciled", not disagreements, words or "visits, open visits and scans agree")


def _count(log: RushLog, stage: Stage, outcome: Outcome) -> int:
    return sum(record.answer.outcome is outcome for record in log.of(stage))


def _busiest(records: Sequence[RecordedScan]) -> int:
    return max(Counter(int(record.second) for record in records).values(), default=0)
