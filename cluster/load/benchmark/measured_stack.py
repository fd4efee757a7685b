"""The stack that is measured, and everything that the benchmark has done to it so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rich.status import Status

from cluster.load.benchmark.measurements import Measured, Rate, measure, offered_figures, rate_of, unexpected
from cluster.load.benchmark.noop import BODY, PATHS
from cluster.load.figures import Figures
from cluster.load.generator import Job, steady
from cluster.load.http_client import request
from cluster.load.invariants import StoreComparison, compare_with_store
from cluster.load.oracle import AnswerLog
from cluster.load.scans import ScanWriter
from cluster.load.seeding import WorldSpec, retire_world, seed
from cluster.load.world import BENCHMARK_SHARES, Shares, World
from cluster.local.ports import LOOPBACK
from cluster.local.stack_record import StackRecord
from domain.clock import system_clock
from domain.door.reconcile import disagreements
from domain.ids import new_id
from domain.unit_of_work import Store

LABEL = "Bench"
DEVICES_PER_GATE = 16  # a device may send 50 scans a second; with so many of them that limit is far away
_WARM_UP_S = 1.0
_OPEN_WARM_UP_S = 2.0


@dataclass(slots=True)
class MeasuredStack:
    """A running stack.

    Args:
        status: shows what is being measured; its console, the results.
        seconds: of each measurement.
        random_seed: of every plan.
        refused_share: of the scans, 0 to 1.
        log: every answer to a scan.
        around: errors and wrong answers of the scans around the measured ones: filling the gyms, warming up.
        worlds: what was seeded so far.
        has_past: whether so much is stored that the door's tables can no longer be compared row by row.
        disagreements: found between the door's tables.
        since: an id older than every scan.
    """

    record: StackRecord
    store: Store
    writer: ScanWriter
    status: Status
    seconds: float
    random_seed: int
    refused_share: float
    log: AnswerLog = field(default_factory=AnswerLog)
    around: Counter[str] = field(default_factory=Counter)
    worlds: list[World] = field(default_factory=list)
    has_past: bool = False
    disagreements: list[str] = field(default_factory=list)
    since: UUID = field(default_factory=new_id)

    @property
    def host(self) -> str:
        """Where the stack listens, with the port."""
        return f"{LOOPBACK}:{self.record.port}"

    def seed(
        self,
        *,
        gyms: int,
        members: int,
        capacity: int | None = None,
        shares: Shares = BENCHMARK_SHARES,
        devices_per_gate: int = DEVICES_PER_GATE,
    ) -> World:
        """Seed gyms and members of their own.

        Args:
            capacity: of every gym; None: all members fit into one.
        """
        capacities = [members if capacity is None else capacity] * gyms
        spec = WorldSpec(LABEL, capacities, members, devices_per_gate, shares, run=new_id().hex[-12:])
        world = seed(self.store, spec, system_clock())
        self.worlds.append(world)
        return world

    def reconcile(self) -> None:
        """Compare the door's tables with each other."""
        with self.store.reading() as connection:
            self.disagreements += [f"{each.kind}: {each.detail}" for each in disagreements(connection)]

    def compare(self) -> StoreComparison:
        """Compare the store with every answer."""
        if not self.has_past:
            self.reconcile()
        gym_ids = [gym_id for world in self.worlds for gym_id in world.gym_ids]
        with self.store.reading() as connection:
            return compare_with_store(connection, gym_ids, self.log, self.since)

    def retire(self) -> None:
        """Retire every world."""
        for world in self.worlds:
            with self.store.writing() as connection:
                retire_world(connection, world, system_clock())

    def noop(self, name: str, connections: int) -> Rate:
        """Measure a no-op in a closed loop."""
        self.status.update(f"{connections} connections: {name}")
        return self._closed_loop([self._noop_request(name)] * connections, BODY)

    def occupancy(self, world: World, connections: int) -> Rate:
        """Measure how fast the devices of a world read the occupancy of their gyms, in a closed loop."""
        self.status.update(f"{connections} connections: occupancy")
        devices = [(gate.gym_id, device.credential) for gate in world.gates for device in gate.devices]
        asking = [devices[number % len(devices)] for number in range(connections)]
        path = "/api/gyms/{}/occupancy".format
        return self._closed_loop(
            [request("GET", self.host, path(gym_id), f"Device {credential}") for gym_id, credential in asking]
        )

    def offer_noop(self, name: str, rate: float, lanes: int) -> Figures:
        """Send a no-op's requests at a steady rate (open loop)."""
        self.status.update(f"open loop: {rate:.0f} {name}/s")
        for seconds in (_OPEN_WARM_UP_S, self.seconds):
            due = steady(rate, round(rate * seconds), lanes)
            sent = self.send([[self._noop_request(name)] * len(times) for times in due], seconds, due).driven.lanes
        unsent = sum(map(len, due)) - sum(map(len, sent))
        return offered_figures(sent, unsent + unexpected(sent, BODY))

    def send(
        self, lanes: list[list[bytes]], seconds: float, due: list[list[float]] | None = None, *, repeats: bool = False
    ) -> Measured:
        """Send requests, with a schedule all of them; see `Job`."""
        return measure(self.record, Job(LOOPBACK, self.record.port, lanes, repeats, seconds, due=due))

    def _closed_loop(self, requests: Sequence[bytes], body: bytes | None = None) -> Rate:
        """Warm up, then measure, each connection repeating its request as soon as it is answered."""
        for seconds in (_WARM_UP_S, self.seconds):
            measured = self.send([[content] for content in requests], seconds, repeats=True)
        return rate_of(measured, unexpected(measured.driven.lanes, body))

    def _noop_request(self, name: str) -> bytes:
        return request("GET", self.host, PATHS[name] + "/")
