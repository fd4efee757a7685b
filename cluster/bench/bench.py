"""A whole bench against a running stack: load, fill, measure, look everything up, put away."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from cluster.bench.check import compare_with_store
from cluster.bench.durability import durable_settings
from cluster.bench.figures import Findings, Level, Rate, noop_errors, rate_of
from cluster.bench.generator import measure
from cluster.bench.job import Job
from cluster.bench.noop_apps import BODY, FASTAPI, LEAN, PATHS, deployed_noops
from cluster.bench.plan import Planner
from cluster.bench.processes import role_of_replica
from cluster.bench.requests import ScanRequests, get_request
from cluster.bench.scan_runs import ScanRuns
from cluster.bench.world import BenchWorld, load, retire
from cluster.errors import CommandError
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.clock import system_clock
from domain.door.reconcile import disagreements
from domain.unit_of_work import Store
from integrations.pass_keys import PassSigner
from integrations.settings import Settings

_WARM_UP_S = 1.0
_SLOWEST_STATEMENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured.

    Args:
        connections: one measurement of each kind for each of these.
        seconds: of each measurement.
        refused_share: of the scans, 0 to 1.
    """

    connections: Sequence[int]
    seconds: float
    gyms: int
    members: int
    seed: int
    refused_share: float


class Watcher(Protocol):
    """Whoever watches."""

    def now(self, what: str) -> None:
        """Hear what is being done."""

    def found(self, durability: Mapping[str, str], loaded: Mapping[str, Any]) -> None:
        """Hear on which settings durability rests, and what was loaded."""

    def level(self, level: Level) -> None:
        """Hear the figures of one number of connections."""


class Bench:
    """One bench.

    Args:
        settings: of the stack.
        record: of the stack.
        wish: what is to be measured.
        watcher: told of the progress.
    """

    def __init__(self, settings: Settings, record: StackRecord, wish: Wish, watcher: Watcher) -> None:
        self._settings = settings
        self._record = record
        self._wish = wish
        self._watcher = watcher
        self._host = f"{LOOPBACK}:{record.port}"

    def run(self) -> Findings:
        """Measure everything.

        Raises:
            CommandError: the stack is not durable, or not well.
        """
        if self._settings.passes.key_dir is None:
            raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
        requests = ScanRequests(PassSigner(self._settings.passes.key_dir), self._host)
        url = self._settings.database.url.get_secret_value()
        store = Store(url, pool_size=1, statement_timeout_s=_SLOWEST_STATEMENT_S)
        try:
            with store.reading() as connection:
                durability = durable_settings(self._settings, connection)
            self._watcher.now("loading gyms and members, deploying the no-ops")
            with self._world(store) as world, deployed_noops(self._record):
                loaded = self._loaded(world)
                self._watcher.found(durability, loaded)
                planner = Planner(world, self._wish.seed, self._wish.refused_share)
                runs = ScanRuns(self._record, store, world, planner, requests)
                self._watcher.now("filling the gyms")
                runs.fill()
                levels = [self._level(runs, connections) for connections in self._wish.connections]
                return self._findings(store, world, runs, levels, durability, loaded)
        finally:
            store.close()

    @contextmanager
    def _world(self, store: Store) -> Iterator[BenchWorld]:
        wish = self._wish
        with store.writing() as connection:
            world = load(connection, number_of_gyms=wish.gyms, number_of_members=wish.members, now=system_clock())
        try:
            yield world
        finally:
            with store.writing() as connection:
                retire(connection, world, system_clock())

    def _loaded(self, world: BenchWorld) -> Mapping[str, Any]:
        wish = self._wish
        return {
            "gyms": len(world.gym_ids),
            "gates": len(world.gates),
            "devices": world.devices,
            "members": len(world.members),
            "refused_share": wish.refused_share,
            "seed": wish.seed,
            "seconds": wish.seconds,
            "scans_per_device_per_second": self._settings.door.scans_per_device_per_second,
            "processors": os.cpu_count(),
        }

    def _level(self, runs: ScanRuns, connections: int) -> Level:
        noop = self._noop(connections, FASTAPI)
        lean = self._noop(connections, LEAN)
        self._watcher.now(f"{connections} connections: scans")
        scans = runs.measure(connections, self._wish.seconds)
        level = Level(connections, noop, lean, scans, role_of_replica(FASTAPI), role_of_replica(LEAN))
        self._watcher.level(level)
        return level

    def _noop(self, connections: int, name: str) -> Rate:
        self._watcher.now(f"{connections} connections: {name}")
        request = get_request(self._host, PATHS[name] + "/")
        lanes = [[request] for _ in range(connections)]
        for seconds in (_WARM_UP_S, self._wish.seconds):
            measured = measure(self._record, Job(LOOPBACK, self._record.port, lanes, repeats=True, seconds=seconds))
        return rate_of(measured, noop_errors(measured.driven.lanes, BODY))

    def _findings(
        self,
        store: Store,
        world: BenchWorld,
        runs: ScanRuns,
        levels: Sequence[Level],
        durability: Mapping[str, str],
        loaded: Mapping[str, Any],
    ) -> Findings:
        self._watcher.now("comparing the store with the answers")
        with store.reading() as connection:
            stored = compare_with_store(connection, world, runs.answers, all_answered=not runs.errors)
            disagree = [f"{each.kind}: {each.detail}" for each in disagreements(connection)]
        around = {"errors": runs.errors_around, "wrong_answers": runs.wrong_around}
        return Findings(durability, loaded, levels, around, stored, disagree, runs.examples)
