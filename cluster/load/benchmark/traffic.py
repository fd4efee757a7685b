"""Scans through the stack: planned, written, sent, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import Connection, select

from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.measurements import Measured, Rate, offered_figures, rate_of
from cluster.load.benchmark.scan_plan import Lane, Planner
from cluster.load.figures import Figures
from cluster.load.generator import Answer, JobResult, at_once, steady
from cluster.load.oracle import AnswerLog, read_answer
from cluster.load.scans import Scan
from cluster.load.world import World
from domain.clock import system_clock
from domain.door.model import ScanAnswer
from domain.door.tables import open_visits, visits

_OK = 200
_CLOCK = timedelta(milliseconds=50)  # between this process's reading of the clock and the generator's
_MOVING_LANES = 32
_FILLING_S = 8.0  # at most: it ends with its last scan
_MOVING_S = 20.0  # for all who are to enter or leave
_WARM_UP_S = 2.0
_WARM_UP_SCANS = 4000
_HEADROOM = 1.5  # over the rate of the warm-up
# How long preparing takes, generously: a pass expires when it was signed too long before it is shown.
_STARTING_S, _PREPARING_ONE_S = 3.0, 0.0002


@dataclass(slots=True)
class Checked:
    """The answers of one measurement compared with the plan.

    Args:
        given: those that could be read.
        errors: scans without an answer.
        wrong: answers that are not right.
        unchecked: answers about members of whom an earlier answer was lost, so that nobody knows where they are.
    """

    given: list[ScanAnswer] = field(default_factory=list)
    errors: int = 0
    wrong: int = 0
    unchecked: int = 0

    @property
    def mean_batch(self) -> float:
        """How many scans were decided together: all decisions of one transaction have the same time."""
        return len(self.given) / len({answer.decided_at for answer in self.given}) if self.given else 0.0


def check(plan: Sequence[Lane], driven: JobResult, log: AnswerLog) -> Checked:
    """Compare every answer with the right one, and log it.

    Args:
        plan: what was sent, lane by lane.
        driven: what was answered.
    """
    checked = Checked()
    began = datetime.fromtimestamp(driven.began, UTC)
    for lane, answers in zip(plan, driven.lanes, strict=True):
        lost: set[UUID] = set()
        # A lane may have more scans planned than were sent.
        for scan, answer in zip(lane, answers, strict=False):
            member_id = scan.shown.member_id
            if answer.status != _OK:
                checked.errors += 1
                log.add_rejection(answer.status, answer.body)
                lost.add(member_id)
                continue
            given = read_answer(answer.body)
            if isinstance(given, ScanAnswer):
                checked.given.append(given)
                log.add(scan.device.id, scan.shown, given)
            if member_id in lost:
                checked.unchecked += 1
            elif found := _faults(scan, answer, given, began):
                checked.wrong += 1
                log.add_fault(f"{scan.direction}: {', '.join(found)}")
    log.unanswered += checked.errors
    return checked


def _faults(scan: Scan, answer: Answer, given: ScanAnswer | str, began: datetime) -> Sequence[str]:
    sent = began + timedelta(seconds=answer.sent)
    answered = sent + timedelta(seconds=answer.took)
    found = scan.faults(given, answered)
    if isinstance(given, ScanAnswer) and not sent - _CLOCK <= given.decided_at <= answered + _CLOCK:
        found.append(f"decided_at is {given.decided_at}")
    return found


@dataclass(frozen=True, slots=True)
class ScanRun:
    """Scans in a closed loop.

    Args:
        ran_out: whether it ended early, because every prepared scan had been sent.
    """

    rate: Rate
    checked: Checked
    ran_out: bool


class ScanTraffic:
    """The scans of a world's members. Every answer is checked and logged.

    Args:
        passing_through: whoever entered leaves next.
    """

    def __init__(self, stack: MeasuredStack, world: World, *, passing_through: bool = False) -> None:
        self.world = world
        self._stack = stack
        self._planner = Planner(world, stack.random_seed, stack.refused_share, passing_through=passing_through)

    def fill(self) -> None:
        """Let every second member enter, or as many as there is time for."""
        valid = valid_for(_FILLING_S, len(self.world.members))
        self._send_around(self._planner.entries(_MOVING_LANES, system_clock(), valid), _FILLING_S)

    def enter(self, number: int) -> None:
        """Let exactly so many members enter."""
        valid = valid_for(_MOVING_S, len(self.world.members))
        plan = self._planner.entries(_MOVING_LANES, system_clock(), valid, number)
        self._send_around(plan, _MOVING_S, at_once(plan))

    def leave(self) -> None:
        """Let everybody leave."""
        valid = valid_for(_MOVING_S, len(self.world.members))
        plan = self._planner.exits(_MOVING_LANES, self._inside(), system_clock(), valid)
        self._send_around(plan, _MOVING_S, at_once(plan))

    def measure(self, connections: int, seconds: float) -> ScanRun:
        """Warm up, then measure in a closed loop."""
        warm = self._send_around(self._mixed(connections, _WARM_UP_SCANS, _WARM_UP_S), _WARM_UP_S)
        expected = rate_of(warm, 0).per_second * _HEADROOM * seconds
        plan = self._mixed(connections, round(expected) + 20 * connections, seconds)
        measured = self.send(plan, seconds)
        checked = check(plan, measured.driven, self._stack.log)
        return ScanRun(rate_of(measured, checked.errors), checked, measured.driven.ran_out)

    def offer(self, rate: float, lanes: int, seconds: float) -> tuple[Figures, JobResult]:
        """Send scans at a steady rate (open loop). A scan that could not be sent counts among the errors."""
        wanted = round(rate * seconds)
        plan = self._mixed(lanes, ceil(wanted / lanes) * lanes, seconds)
        due = steady(rate, wanted, lanes)
        # Lanes whose members had no pass left are shorter than their schedule.
        plan = [scans[: len(times)] for scans, times in zip(plan, due, strict=True)]
        due = [times[: len(scans)] for scans, times in zip(plan, due, strict=True)]
        driven = self.send(plan, seconds, due).driven
        checked = check(plan, driven, self._stack.log)
        unsent = sum(map(len, plan)) - sum(map(len, driven.lanes))
        self._stack.log.unanswered += unsent
        return offered_figures(driven.lanes, checked.errors + unsent, checked.wrong), driven

    def send(self, plan: Sequence[Lane], seconds: float, due: list[list[float]] | None = None) -> Measured:
        """Send a plan, with a schedule all of it."""
        write = self._stack.writer.request
        return self._stack.send([[write(scan) for scan in scans] for scans in plan], seconds, due)

    def _mixed(self, connections: int, scans: int, seconds: float) -> list[Lane]:
        return self._planner.mixed(connections, scans, self._inside(), system_clock(), valid_for(seconds, scans))

    def _inside(self) -> Mapping[UUID, UUID]:
        with self._stack.store.reading() as connection:
            return gates_entered_by(connection, self.world)

    def _send_around(self, plan: Sequence[Lane], seconds: float, due: list[list[float]] | None = None) -> Measured:
        """Send and check scans that prepare a measurement."""
        measured = self.send(plan, seconds, due)
        checked = check(plan, measured.driven, self._stack.log)
        self._stack.around.update(errors=checked.errors, wrong_answers=checked.wrong)
        return measured


def gates_entered_by(connection: Connection, world: World) -> dict[UUID, UUID]:
    """Who is inside, with the gate by which they came."""
    rows = connection.execute(
        select(open_visits.c.member_id, visits.c.gate_id)
        .join(visits, visits.c.id == open_visits.c.visit_id)
        .where(open_visits.c.gym_id.in_(world.gym_ids))
    )
    return {row.member_id: row.gate_id for row in rows}


def valid_for(seconds: float, scans: int) -> timedelta:
    """How long passes must be valid that are signed now for so many scans within so many seconds."""
    return timedelta(seconds=seconds + _STARTING_S + scans * _PREPARING_ONE_S)
