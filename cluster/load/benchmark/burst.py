"""A benchmark of a burst: many members scan at once at ten gyms, and refused scans are repeated."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.processes import processes_of, snapshot
from cluster.load.benchmark.scan_plan import Lane, Planner
from cluster.load.benchmark.traffic import ScanTraffic, valid_for
from cluster.load.figures import Figures, percentile, ratio, rounded
from cluster.load.generator import Answer, at_once, steady
from cluster.load.oracle import AnswerLog, read_answer
from cluster.load.scans import Scan
from domain.clock import system_clock
from domain.door.model import Reason, ScanAnswer
from domain.ids import new_id

MEMBERS, GYMS, WITHIN_S = 2000, 10, 5.0
IN_TIME_S = 2.0
LANES = 1000  # each sends twice, 2.5 s apart: by then the door's deadline is over, so that no scan waits for another
_REPEATING_LANES = 32
_MAX_REPEATS = 5
_REPEATING_S = 5.0
_CONSUMER = "door_consumer"
_OK, _UNAVAILABLE = 200, 503


@dataclass(slots=True)
class Wave:
    """The answers to scans that were sent once, sorted by what they say.

    Args:
        decided_ms: for each decision, from when its scan was due to its answer.
        retry: the answer says when to send the same scan id again (503 with Retry-After).
        too_late: refused because it came too late; to be sent again with a new scan id.
        errors: no answer, or none that says what to do; sent again with the same scan id.
        wrong: answers that are not right.
    """

    decided_ms: list[float] = field(default_factory=list)
    retry: list[Scan] = field(default_factory=list)
    too_late: list[Scan] = field(default_factory=list)
    errors: list[Scan] = field(default_factory=list)
    wrong: int = 0

    def repeats(self) -> list[Scan]:
        """The scans to send next; a new scan id for those that were too late."""
        return [*self.retry, *self.errors, *(replace(scan, scan_id=str(new_id())) for scan in self.too_late)]


def measure_burst(stack: MeasuredStack) -> Figures:
    """Send one scan of every member within seconds, then repeat what was not decided until it is.

    It is good where every door had a right answer or was asked to retry, and in the end everybody had a decision.
    """
    stack.status.update(f"burst: {MEMBERS} members at {GYMS} gyms within {WITHIN_S:g} s")
    world = stack.seed(gyms=GYMS, members=MEMBERS, shares={})
    traffic = ScanTraffic(stack, world)
    valid = valid_for(WITHIN_S + _MAX_REPEATS * _REPEATING_S, MEMBERS)
    plan = Planner(world, stack.random_seed, 0.0).entries(LANES, system_clock(), valid, MEMBERS)
    sent = traffic.send(plan, WITHIN_S, steady(MEMBERS / WITHIN_S, MEMBERS, LANES))
    first = sort_answers(plan, sent.driven.lanes, stack.log)
    consumers = processes_of(snapshot(stack.record)).get(_CONSUMER, 0)
    wrong, repeats, left = first.wrong, 0, first.repeats()
    while left and repeats < _MAX_REPEATS:
        repeats += 1
        stack.status.update(f"burst: repeating {len(left)} scans")
        plan = [lane for place in range(_REPEATING_LANES) if (lane := left[place::_REPEATING_LANES])]
        sent = traffic.send(plan, _REPEATING_S, at_once(plan))
        wave = sort_answers(plan, sent.driven.lanes, stack.log, repeated=True)
        wrong, left = wrong + wave.wrong, wave.repeats()
    stack.log.unanswered += len(left)
    decided = sorted(first.decided_ms)
    return rounded(
        {
            "members": MEMBERS,
            "gyms": GYMS,
            "within_s": WITHIN_S,
            "consumers": consumers,  # that decided, at the end of the first answers
            "decided_within_2_s": ratio(sum(took <= 1000 * IN_TIME_S for took in decided), MEMBERS),
            "p50_ms": percentile(decided, 0.50),
            "p99_ms": percentile(decided, 0.99),
            "most_ms": percentile(decided, 1.0),
            "retries": len(first.retry),
            "too_late": len(first.too_late),
            "errors": len(first.errors),
            "wrong_answers": wrong,  # those to repeats included
            "repeats": repeats,
            "undecided": len(left),  # after all repeats
        },
        4,
    )


def sort_answers(
    plan: Sequence[Lane], answered: Sequence[Sequence[Answer]], log: AnswerLog, *, repeated: bool = False
) -> Wave:
    """Sort answers by what they say, and log the decisions.

    Args:
        repeated: every scan was sent before, and may have been decided then.
    """
    wave = Wave()
    for lane, answers in zip(plan, answered, strict=True):
        wave.errors += lane[len(answers) :]  # never sent
        for scan, answer in zip(lane, answers, strict=False):
            if answer.status == _UNAVAILABLE and answer.retry_after:
                wave.retry.append(scan)
            elif answer.status != _OK:
                wave.errors.append(scan)
                log.add_rejection(answer.status, answer.body)
            else:
                _sort_decision(wave, scan, answer, log, repeated=repeated)
    return wave


def _sort_decision(wave: Wave, scan: Scan, answer: Answer, log: AnswerLog, *, repeated: bool) -> None:
    given = read_answer(answer.body)
    if isinstance(given, ScanAnswer):
        log.add(scan.device.id, scan.shown, given)
        if given.reason is Reason.TOO_LATE and given.scan_id == scan.scan_id:
            wave.too_late.append(scan)
            return
    if found := scan.faults(given, repeated=repeated):
        wave.wrong += 1
        log.add_fault(f"{scan.direction}: {', '.join(found)}")
    else:
        wave.decided_ms.append(answer.latency * 1000)
