"""Scans through the stack: planned, prepared, sent, checked."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from cluster.bench.check import Checked, check
from cluster.bench.figures import ScanRun, mean_batch, rate_of
from cluster.bench.generator import Measured, measure
from cluster.bench.job import Job
from cluster.bench.plan import Lane, Planner
from cluster.bench.requests import ScanRequests
from cluster.bench.world import BenchWorld, gates_entered_by
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.door.model import ScanAnswer
from domain.unit_of_work import Store

_FILLING_LANES = 32
_FILLING_S = 8.0  # at most: it ends with its last scan
_WARM_UP_S = 2.0
_WARM_UP_SCANS = 4000
_HEADROOM = 1.5  # over the rate of the warm-up
_EXAMPLES = 5
# What preparing takes, generously: a code is worthless when it was signed too long before it is shown.
_STARTING_S, _PREPARING_ONE_S = 3.0, 0.0002


class ScanRuns:
    """Sends scans and keeps every answer.

    Args:
        record: of the stack.
        store: of the stack, to see who is inside when a plan begins.
        world: what was loaded.
        planner: chooses who scans where.
        requests: writes the scans.
    """

    def __init__(
        self, record: StackRecord, store: Store, world: BenchWorld, planner: Planner, requests: ScanRequests
    ) -> None:
        self._record = record
        self._store = store
        self._world = world
        self._planner = planner
        self._requests = requests
        self.answers: list[tuple[UUID, ScanAnswer]] = []
        self.errors = 0
        self.errors_around = 0
        self.wrong_around = 0
        self.examples: list[str] = []

    def fill(self) -> None:
        """Let every second member in."""
        good_for = _good_for(_FILLING_S, len(self._world.members))
        plan = self._planner.entries(_FILLING_LANES, system_clock(), good_for)
        self._around(plan, _FILLING_S)

    def measure(self, connections: int, seconds: float) -> ScanRun:
        """Warm up, then measure."""
        warm = self._around(self._mixed(connections, _WARM_UP_SCANS, _WARM_UP_S), _WARM_UP_S)
        expected = rate_of(warm, 0).per_second * _HEADROOM * seconds
        plan = self._mixed(connections, round(expected) + 20 * connections, seconds)
        measured = self._drive(plan, seconds)
        checked = self._checked(plan, measured)
        return ScanRun(
            rate_of(measured, checked.errors),
            checked.wrong,
            checked.unchecked,
            mean_batch([answer for _, answer in checked.answers]),
            measured.driven.ran_out,
        )

    def _mixed(self, connections: int, scans: int, seconds: float) -> list[Lane]:
        with self._store.reading() as connection:
            inside = gates_entered_by(connection, self._world)
        return self._planner.mixed(connections, scans, inside, system_clock(), _good_for(seconds, scans))

    def _around(self, plan: Sequence[Lane], seconds: float) -> Measured:
        measured = self._drive(plan, seconds)
        checked = self._checked(plan, measured)
        self.errors_around += checked.errors
        self.wrong_around += checked.wrong
        return measured

    def _drive(self, plan: Sequence[Lane], seconds: float) -> Measured:
        lanes = [self._requests.lane(scans) for scans in plan]
        return measure(self._record, Job(LOOPBACK, self._record.port, lanes, repeats=False, seconds=seconds))

    def _checked(self, plan: Sequence[Lane], measured: Measured) -> Checked:
        checked = check(plan, measured.driven, self._world.capacity)
        self.answers += checked.answers
        self.errors += checked.errors
        self.examples += checked.examples[: _EXAMPLES - len(self.examples)]
        return checked


def _good_for(seconds: float, scans: int) -> timedelta:
    return timedelta(seconds=seconds + _STARTING_S + scans * _PREPARING_ONE_S)
