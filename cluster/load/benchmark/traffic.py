"""Scans through the stack: planned, prepared, sent, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from cluster.load.answer_checks import Checked, check
from cluster.load.benchmark.ledger import Ledger
from cluster.load.benchmark.measurements import Rate, mean_batch, rate_of
from cluster.load.benchmark.scan_plan import Lane, Planner
from cluster.load.generator_process import Measured, measure
from cluster.load.job import Job
from cluster.load.requests import ScanRequests
from cluster.load.schedule import at_once, steady
from cluster.load.world import BenchWorld, gates_entered_by
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.unit_of_work import Store

_FILLING_LANES = 32
_FILLING_S = 8.0  # at most: it ends with its last scan
_MOVING_S = 20.0  # for all who are to go in, or out
_WARM_UP_S = 2.0
_WARM_UP_SCANS = 4000
_HEADROOM = 1.5  # over the rate of the warm-up
# What preparing takes, generously: a code is worthless when it was signed too long before it is shown.
_STARTING_S, _PREPARING_ONE_S = 3.0, 0.0002


@dataclass(frozen=True, slots=True)
class ScanRun:
    """Scans at one number of connections.

    Args:
        wrong: answers that say something else than they must.
        unchecked: answers about members of whom an earlier answer was lost.
        mean_batch: how many scans were decided in one transaction.
        ran_out: whether it ended early, because every prepared scan had been sent.
    """

    rate: Rate
    wrong: int
    unchecked: int
    mean_batch: float
    ran_out: bool

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""
        return not (self.wrong or self.rate.errors)


class ScanRuns:
    """Sends scans and keeps every answer.

    Args:
        record: of the stack.
        store: of the stack, to see who is inside when a plan begins.
        world: what was loaded.
        planner: chooses who scans where.
        requests: writes the scans.
        ledger: takes the answers.
    """

    def __init__(
        self,
        record: StackRecord,
        store: Store,
        world: BenchWorld,
        planner: Planner,
        requests: ScanRequests,
        ledger: Ledger,
    ) -> None:
        self._record = record
        self._store = store
        self.world = world
        self._planner = planner
        self._requests = requests
        self._ledger = ledger

    def fill(self) -> None:
        """Let every second member in, or as many as there is time for."""
        good_for = good_until(_FILLING_S, len(self.world.members))
        plan = self._planner.entries(_FILLING_LANES, system_clock(), good_for)
        self._around(plan, self.drive(plan, _FILLING_S))

    def move(self, entries: int | None) -> None:
        """Let exactly so many members in; None: let everybody out."""
        good_for = good_until(_MOVING_S, len(self.world.members))
        if entries is None:
            with self._store.reading() as connection:
                inside = gates_entered_by(connection, self.world)
            plan = self._planner.exits(_FILLING_LANES, inside, system_clock(), good_for)
        else:
            plan = self._planner.entries(_FILLING_LANES, system_clock(), good_for, entries)
        self._around(plan, self.drive(plan, _MOVING_S, at_once(plan)))

    def measure(self, connections: int, seconds: float) -> ScanRun:
        """Warm up, then measure, each lane asking on when it is answered (closed loop)."""
        plan = self._mixed(connections, _WARM_UP_SCANS, _WARM_UP_S)
        warm = self.drive(plan, _WARM_UP_S)
        self._around(plan, warm)
        expected = rate_of(warm, 0).per_second * _HEADROOM * seconds
        plan = self._mixed(connections, round(expected) + 20 * connections, seconds)
        measured = self.drive(plan, seconds)
        checked = self._checked(plan, measured)
        self._ledger.take(checked)
        return ScanRun(
            rate_of(measured, checked.errors),
            checked.wrong,
            checked.unchecked,
            mean_batch([answer for _, answer in checked.answers]),
            measured.driven.ran_out,
        )

    def offer(self, rate: float, lanes: int, seconds: float) -> tuple[Measured, Checked]:
        """Send scans at a steady rate, whatever becomes of them (open loop).

        A scan that could not be sent at all counts among the errors.
        """
        wanted = round(rate * seconds)
        plan = self._mixed(lanes, ceil(wanted / lanes) * lanes, seconds)
        due = steady(rate, wanted, lanes)
        # Lanes whose members had no code left are shorter than their schedule.
        plan = [scans[: len(times)] for scans, times in zip(plan, due, strict=True)]
        due = [times[: len(scans)] for scans, times in zip(plan, due, strict=True)]
        measured = self.drive(plan, seconds, due)
        checked = self._checked(plan, measured)
        checked.errors += unsent(plan, measured)
        self._ledger.take(checked)
        return measured, checked

    def drive(self, plan: Sequence[Lane], seconds: float, due: Sequence[list[float]] | None = None) -> Measured:
        """Send a plan; with a schedule all of it."""
        lanes = [self._requests.lane(scans) for scans in plan]
        job = Job(
            LOOPBACK,
            self._record.port,
            lanes,
            repeats=False,
            seconds=seconds,
            due=None if due is None else list(due),
        )
        return measure(self._record, job)

    def _mixed(self, connections: int, scans: int, seconds: float) -> list[Lane]:
        with self._store.reading() as connection:
            inside = gates_entered_by(connection, self.world)
        return self._planner.mixed(connections, scans, inside, system_clock(), good_until(seconds, scans))

    def _around(self, plan: Sequence[Lane], measured: Measured) -> None:
        self._ledger.take(self._checked(plan, measured), around=True)

    def _checked(self, plan: Sequence[Lane], measured: Measured) -> Checked:
        return check(plan, measured.driven, self.world.capacity)


def unsent(plan: Sequence[Lane], measured: Measured) -> int:
    """How many planned scans were not sent."""
    return sum(len(scans) - len(answers) for scans, answers in zip(plan, measured.driven.lanes, strict=True))


def good_until(seconds: float, scans: int) -> timedelta:
    """How long codes must be good that are signed now for so many scans within so many seconds."""
    return timedelta(seconds=seconds + _STARTING_S + scans * _PREPARING_ONE_S)
