"""Everybody comes at once: what the doors of ten gyms say, how soon, and what becomes of those told to come again."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cluster.load.answer_checks import differences, read
from cluster.load.benchmark.ledger import Ledger
from cluster.load.benchmark.measurements import percentile, ratio
from cluster.load.benchmark.processes import processes_of, snapshot
from cluster.load.benchmark.rig import Rig
from cluster.load.benchmark.scan_plan import Lane, PlannedScan, Planner
from cluster.load.benchmark.traffic import good_until
from cluster.load.job import Answer
from cluster.load.schedule import at_once, steady
from domain.clock import system_clock
from domain.door.model import Reason, ScanAnswer
from domain.ids import new_id

MEMBERS, GYMS, WITHIN_S = 2000, 10, 5.0
IN_TIME_S = 2.0
LANES = 1000  # each asks twice, 2.5 s apart: by then the door's deadline is over, so that no scan waits for another
_REPEATING_LANES = 32
_REPEATS = 5
_REPEATING_S = 5.0
_CONSUMER = "door_consumer"


@dataclass(slots=True)
class Wave:
    """What became of scans that were sent once.

    Args:
        decided_ms: from when each decided one was due to its answer.
        again: no decision yet, but the answer said when to repeat (503 with Retry-After); same scan id.
        anew: refused for good because it came too late, to be scanned again; new scan id.
        errors: no answer, or none that says what to do; repeated like the others.
        wrong: answers that say something else than they must.
    """

    decided_ms: list[float] = field(default_factory=list)
    again: list[PlannedScan] = field(default_factory=list)
    anew: list[PlannedScan] = field(default_factory=list)
    errors: list[PlannedScan] = field(default_factory=list)
    wrong: int = 0


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst brought.

    Args:
        consumers: how many decided, at its end.
        decided_in_time: of all, 0 to 1.
        retries: first answers that were a clear `retry`.
        too_late: first answers that refused for lateness.
        errors: first answers that were neither.
        wrong: answers that said something else than they must, repeats included.
        undecided: scans without a decision after all repeats.
    """

    members: int
    consumers: int
    decided_in_time: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    retries: int
    too_late: int
    errors: int
    wrong: int
    repeats: int
    undecided: int

    @property
    def is_good(self) -> bool:
        """Whether every door had a right answer or a clear `retry`, and in the end everybody their decision."""
        return not (self.wrong or self.errors or self.undecided)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "members": self.members,
            "gyms": GYMS,
            "within_s": WITHIN_S,
            "consumers": self.consumers,
            "decided_within_2_s": round(self.decided_in_time, 4),
            "p50_ms": round(self.p50_ms, 1),
            "p99_ms": round(self.p99_ms, 1),
            "most_ms": round(self.most_ms, 1),
            "retries": self.retries,
            "too_late": self.too_late,
            "errors": self.errors,
            "wrong_answers": self.wrong,
            "repeats": self.repeats,
            "undecided": self.undecided,
        }


def measure_burst(rig: Rig) -> Burst:
    """Let everybody in at once, then repeat what was not decided until it is."""
    rig.watcher.now(f"burst: {MEMBERS} members at {GYMS} gyms within {WITHIN_S:g} s")
    world = rig.world(gyms=GYMS, members=MEMBERS, all_admitted=True)
    runs = rig.runs(world)
    good_for = good_until(WITHIN_S + _REPEATS * _REPEATING_S, MEMBERS)
    plan = Planner(world, rig.seed, 0.0).entries(LANES, system_clock(), good_for, MEMBERS)
    measured = runs.drive(plan, WITHIN_S, steady(MEMBERS / WITHIN_S, MEMBERS, LANES))
    first = judge(plan, measured.driven.lanes, world.capacity, rig.ledger)
    consumers = processes_of(snapshot(rig.record)).get(_CONSUMER, 0)
    wrong, repeats, left = first.wrong, 0, _left(first)
    while left and repeats < _REPEATS:
        repeats += 1
        rig.watcher.now(f"burst: repeating {len(left)} scans")
        plan = [lane for place in range(_REPEATING_LANES) if (lane := left[place::_REPEATING_LANES])]
        again = runs.drive(plan, _REPEATING_S, at_once(plan))
        wave = judge(plan, again.driven.lanes, world.capacity, rig.ledger, repeated=True)
        wrong, left = wrong + wave.wrong, _left(wave)
    rig.ledger.errors += len(left)
    decided = sorted(first.decided_ms)
    return Burst(
        members=MEMBERS,
        consumers=consumers,
        decided_in_time=ratio(sum(took <= 1000 * IN_TIME_S for took in decided), MEMBERS),
        p50_ms=percentile(decided, 0.50),
        p99_ms=percentile(decided, 0.99),
        most_ms=decided[-1] if decided else 0.0,
        retries=len(first.again),
        too_late=len(first.anew),
        errors=len(first.errors),
        wrong=wrong,
        repeats=repeats,
        undecided=len(left),
    )


def judge(
    plan: Sequence[Lane], answered: Sequence[Sequence[Answer]], capacity: int, ledger: Ledger, *, repeated: bool = False
) -> Wave:
    """Sort answers by what they say, and keep those that decide something.

    Args:
        repeated: every scan was sent before, and may have been decided then.
    """
    wave = Wave()
    for lane, answers in zip(plan, answered, strict=True):
        wave.errors += lane[len(answers) :]  # never sent
        for planned, answer in zip(lane, answers, strict=False):
            _sort(wave, planned, answer, read(answer), capacity, ledger, repeated=repeated)
    return wave


def _sort(
    wave: Wave,
    planned: PlannedScan,
    answer: Answer,
    given: ScanAnswer | str,
    capacity: int,
    ledger: Ledger,
    *,
    repeated: bool,
) -> None:
    if answer.status == 503 and answer.retry_after:  # noqa: PLR2004 - Service Unavailable
        wave.again.append(planned)
        return
    if answer.status != 200:  # noqa: PLR2004 - OK
        wave.errors.append(planned)
        ledger.tell(f"{answer.status} {answer.body[:160].decode(errors='replace')}")
        return
    if isinstance(given, ScanAnswer):
        ledger.answers.append((planned.device.id, given))
        if given.reason is Reason.TOO_LATE and given.scan_id == planned.scan_id:
            wave.anew.append(planned)
            return
        faults = list(differences(planned, given, capacity, may_be_replayed=repeated))
    else:
        faults = [given]
    if faults:
        wave.wrong += 1
        ledger.tell(f"{planned.direction}, expected {planned.expected.outcome}: {', '.join(faults)}")
    else:
        wave.decided_ms.append(answer.latency * 1000)


def _left(wave: Wave) -> list[PlannedScan]:
    """What is to be asked again; a scan that was refused for lateness under a new id, as its remedy says."""
    return [*wave.again, *wave.errors, *(replace(scan, scan_id=str(new_id())) for scan in wave.anew)]
