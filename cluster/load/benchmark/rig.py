"""What every part of a bench works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from cluster.load.benchmark.ledger import Ledger
from cluster.load.benchmark.measurements import Rate, noop_errors, rate_of, reading_errors
from cluster.load.benchmark.noop import BODY, PATHS
from cluster.load.benchmark.scan_plan import Planner
from cluster.load.benchmark.traffic import ScanRuns
from cluster.load.generator_process import Measured, measure
from cluster.load.job import Job
from cluster.load.requests import ScanRequests, get_request
from cluster.load.seeding import DEVICES_A_GATE, load, retire
from cluster.load.world import BenchWorld
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.door.reconcile import disagreements
from domain.unit_of_work import Store

_WARM_UP_S = 1.0


class Watcher(Protocol):
    """Whoever watches."""

    def now(self, what: str) -> None:
        """Hear what is being done."""

    def found(self, durability: Mapping[str, str], loaded: Mapping[str, Any]) -> None:
        """Hear on which settings durability rests, and what was loaded."""

    def said(self, line: str) -> None:
        """Hear the figures of one measurement, in one line."""


@dataclass(slots=True)
class Rig:
    """A running stack, and how it is asked.

    Args:
        record: of the stack.
        store: of the stack.
        requests: writes scans.
        watcher: told of the progress.
        seconds: of each measurement.
        seed: of every plan.
        refused_share: of the scans, 0 to 1.
        worlds: what was loaded so far.
        has_past: whether so much was loaded that tables can no longer be held against each other row by row.
        disagreements: found between the tables of the door.
    """

    record: StackRecord
    store: Store
    requests: ScanRequests
    watcher: Watcher
    seconds: float
    seed: int
    refused_share: float
    ledger: Ledger = field(default_factory=Ledger)
    worlds: list[BenchWorld] = field(default_factory=list)
    has_past: bool = False
    disagreements: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Of the stack, with its port."""
        return f"{LOOPBACK}:{self.record.port}"

    def world(
        self,
        *,
        gyms: int,
        members: int,
        capacity: int | None = None,
        all_admitted: bool = False,
        devices_a_gate: int = DEVICES_A_GATE,
    ) -> BenchWorld:
        """Load gyms and members of their own."""
        with self.store.writing() as connection:
            world = load(
                connection,
                number_of_gyms=gyms,
                number_of_members=members,
                now=system_clock(),
                capacity=capacity,
                all_admitted=all_admitted,
                devices_a_gate=devices_a_gate,
            )
        self.worlds.append(world)
        return world

    def reconcile(self) -> None:
        """Hold the tables of the door against each other."""
        with self.store.reading() as connection:
            self.disagreements += [f"{each.kind}: {each.detail}" for each in disagreements(connection)]

    def retire(self) -> None:
        """Take every world out of operation."""
        for world in self.worlds:
            with self.store.writing() as connection:
                retire(connection, world, system_clock())

    def runs(self, world: BenchWorld, *, passing_through: bool = False) -> ScanRuns:
        """Scans of a world's members."""
        planner = Planner(world, self.seed, self.refused_share, passing_through=passing_through)
        return ScanRuns(self.record, self.store, world, planner, self.requests, self.ledger)

    def noop(self, name: str, connections: int) -> Rate:
        """Warm a no-op up, then measure it, each lane asking on when it is answered (closed loop)."""
        self.watcher.now(f"{connections} connections: {name}")
        lanes = [[self._ask(name)] for _ in range(connections)]
        for seconds in (_WARM_UP_S, self.seconds):
            job = Job(LOOPBACK, self.record.port, lanes, repeats=True, seconds=seconds)
            measured = measure(self.record, job)
        return rate_of(measured, noop_errors(measured.driven.lanes, BODY))

    def occupancy(self, world: BenchWorld, connections: int) -> Rate:
        """Warm up, then measure how fast the devices of a world learn how many are inside their gyms (closed loop)."""
        self.watcher.now(f"{connections} connections: occupancy")
        devices = [(gate.gym_id, device.credential) for gate in world.gates for device in gate.devices]
        asked = [devices[number % len(devices)] for number in range(connections)]
        lanes = [[get_request(self.host, f"/api/gyms/{gym}/occupancy", shown)] for gym, shown in asked]
        for seconds in (_WARM_UP_S, self.seconds):
            job = Job(LOOPBACK, self.record.port, lanes, repeats=True, seconds=seconds)
            measured = measure(self.record, job)
        return rate_of(measured, reading_errors(measured.driven.lanes))

    def offer_noop(self, name: str, due: list[list[float]], seconds: float) -> tuple[Measured, int]:
        """Ask a no-op by a schedule (open loop); with how many errors."""
        lanes = [[self._ask(name)] * len(times) for times in due]
        measured = measure(self.record, Job(LOOPBACK, self.record.port, lanes, repeats=False, seconds=seconds, due=due))
        unsent = sum(len(times) for times in due) - sum(len(lane) for lane in measured.driven.lanes)
        return measured, unsent + noop_errors(measured.driven.lanes, BODY)

    def _ask(self, name: str) -> bytes:
        return get_request(self.host, PATHS[name] + "/")
