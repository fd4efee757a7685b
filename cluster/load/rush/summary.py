"""What a rush has come to, in figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.load.benchmark.measurements import percentile
from cluster.load.invariants import Invariant
from cluster.load.rush.books import LATE_S, Books, Heard, Stage
from cluster.load.rush.rush import Wish
from cluster.load.rush.world import RushWorld
from domain.door.model import Outcome

KEEPS_PACE = 0.05  # share of scans that may be late before the figures say more of the generator than of the doors
_MS = 1000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from when a scan was due to its answer."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of the simulated time alone, but for the last six.

    Args:
        minutes_done: simulated, until the end or the interruption.
        scans: answers heard.
        held_up: entries told again to a phone that was still there.
        retold: answers told again to a device that had lost them.
        repeats: times that a device had to ask again for an answer.
        late: scans sent more than 100 ms after they were due.
        forgotten: who went without scanning out; the doors count them as inside.
        came_before: who was let in before the clock began.
        let_out: who was let out after it had ended.
        remain_inside: who is inside now.
        unanswered: scans whose answer nobody has heard.
        examples: of what went wrong, in words.
    """

    wish: Wish
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
        """Whether nothing that must be so is otherwise."""
        return all(invariant.holds is not False for invariant in self.invariants)

    @property
    def keeps_pace(self) -> bool:
        """Whether the generator sent its scans when they were due."""
        return self.late <= KEEPS_PACE * self.scans

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "is_good": self.is_good, "keeps_pace": self.keeps_pace}


def summary_of(
    wish: Wish, books: Books, world: RushWorld, found: list[Invariant], minutes_done: float, *, is_interrupted: bool
) -> Summary:
    """The figures of a rush."""
    heard = books.of(Stage.RUSH)
    outcomes = Counter(each.answer.outcome for each in heard if not each.is_held_up)
    return Summary(
        wish=wish,
        minutes_done=round(minutes_done, 1),
        scans=len(heard),
        entered=outcomes[Outcome.ENTERED],
        left=outcomes[Outcome.LEFT],
        refused=dict(Counter(str(each.answer.reason) for each in heard if each.answer.reason).most_common()),
        held_up=sum(each.is_held_up for each in heard),
        retold=books.retold,
        repeats=sum(each.repeats for each in books.heard),
        latency=latency_of([each.took_s for each in heard]),
        busiest_per_second=_busiest(heard),
        late=sum(each.late_s > LATE_S for each in heard),
        most_late_ms=round(max((each.late_s for each in heard), default=0.0) * _MS, 1),
        forgotten=books.forgotten,
        came_before=sum(each.answer.outcome is Outcome.ENTERED for each in books.of(Stage.FILLING)),
        let_out=sum(each.answer.outcome is Outcome.LEFT for each in books.of(Stage.LETTING_OUT)),
        remain_inside=sum(books.occupancy(len(world.gyms))),
        unanswered=len(books.unanswered),
        invariants=found,
        examples=list(books.examples),
        is_interrupted=is_interrupted,
    )


def latency_of(seconds: Sequence[float]) -> Latency:
    """Percentiles by the nearest rank; zeros where there is nothing."""
    ordered = sorted(seconds)
    p50, p95, p99, most = (round(percentile(ordered, share) * _MS, 1) for share in (0.5, 0.95, 0.99, 1.0))
    return Latency(p50, p95, p99, most)


def _busiest(heard: Sequence[Heard]) -> int:
    return max(Counter(int(each.second) for each in heard).values(), default=0)
