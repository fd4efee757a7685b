"""A whole bench against a running stack: load, fill, measure, look everything up, put away."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from cluster.errors import CommandError
from cluster.load.answer_checks import Stored, compare_with_store
from cluster.load.benchmark.burst import measure_burst
from cluster.load.benchmark.closed_loop import Level, measure_level
from cluster.load.benchmark.durability import durable_settings
from cluster.load.benchmark.findings import Findings
from cluster.load.benchmark.inside import measure_inside
from cluster.load.benchmark.large import LargeWish, measure_large
from cluster.load.benchmark.noop import deployed_noops
from cluster.load.benchmark.open_loop import measure_open_loop
from cluster.load.benchmark.rig import Rig, Watcher
from cluster.load.benchmark.traffic import ScanRuns
from cluster.load.requests import ScanRequests
from cluster.load.world import BenchWorld
from cluster.local.ports import LOOPBACK
from cluster.local.record import StackRecord
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.pass_keys import PassSigner
from integrations.settings import Settings

_SLOWEST_STATEMENT_S = 60.0


class Part(StrEnum):
    """What can be measured, in the order in which it is."""

    LEVELS = "levels"
    OPEN = "open"
    BURST = "burst"
    INSIDE = "inside"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be measured.

    Args:
        parts: which of them.
        connections: one measurement of each kind for each of these.
        seconds: of each measurement.
        refused_share: of the scans, 0 to 1.
    """

    parts: frozenset[Part]
    connections: Sequence[int]
    seconds: float
    gyms: int
    members: int
    seed: int
    refused_share: float
    large: LargeWish


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

    def run(self) -> Findings:
        """Measure everything.

        Raises:
            CommandError: the stack is not durable, or not well.
        """
        if self._settings.passes.key_dir is None:
            raise CommandError("the stack has no pass keys", "set FITMONITOR_PASSES__KEY_DIR")
        requests = ScanRequests(PassSigner(self._settings.passes.key_dir), f"{LOOPBACK}:{self._record.port}")
        url = self._settings.database.url.get_secret_value()
        store = Store(url, pool_size=1, statement_timeout_s=_SLOWEST_STATEMENT_S)
        try:
            with store.reading() as connection:
                durability = durable_settings(self._settings, connection)
            wish = self._wish
            rig = Rig(self._record, store, requests, self._watcher, wish.seconds, wish.seed, wish.refused_share)
            with _put_away(rig):
                return self._measured(rig, durability)
        finally:
            store.close()

    def _measured(self, rig: Rig, durability: Mapping[str, str]) -> Findings:
        wish, parts, since = self._wish, self._wish.parts, new_id()
        self._watcher.now("loading gyms and members, deploying the no-ops")
        # The other parts bring members of their own; where only these are measured there are to be no more.
        filled = bool({Part.LEVELS, Part.OPEN} & parts)
        world = rig.world(gyms=wish.gyms, members=wish.members if filled else 0)
        loaded = self._loaded(world)
        with deployed_noops(self._record):
            self._watcher.found(durability, loaded)
            runs = rig.runs(world)
            if filled:
                self._watcher.now("filling the gyms")
                runs.fill()
            levels = self._levels(rig, runs) if Part.LEVELS in parts else []
            greatest = max((level.scans.rate.per_second for level in levels), default=None)
            open_loop = measure_open_loop(rig, runs, greatest) if Part.OPEN in parts else None
            burst = measure_burst(rig) if Part.BURST in parts else None
            inside = measure_inside(rig) if Part.INSIDE in parts else None
            large = measure_large(rig, wish.large) if Part.LARGE in parts else None
        stored = self._stored(rig, since)
        around = {"errors": rig.ledger.errors_around, "wrong_answers": rig.ledger.wrong_around}
        return Findings(
            durability,
            loaded,
            levels,
            around,
            stored,
            rig.disagreements,
            rig.ledger.examples,
            open_loop,
            burst,
            inside,
            large,
        )

    def _levels(self, rig: Rig, runs: ScanRuns) -> list[Level]:
        levels = []
        for connections in self._wish.connections:
            levels.append(level := measure_level(rig, runs, connections))
            scan = level.scans.rate
            self._watcher.said(
                f"{connections:>4} connections: {scan.per_second:,.0f} scans/s, {level.ratio:.2f} of "
                f"{level.noop.per_second:,.0f} no-ops/s, p50 {scan.p50_ms:.1f} ms, p99 {scan.p99_ms:.1f} ms"
            )
        return levels

    def _stored(self, rig: Rig, since: UUID) -> Stored:
        self._watcher.now("comparing the store with the answers")
        if not rig.has_past:
            rig.reconcile()
        gyms = [gym for world in rig.worlds for gym in world.gym_ids]
        with rig.store.reading() as connection:
            ledger = rig.ledger
            return compare_with_store(connection, gyms, ledger.answers, all_answered=not ledger.errors, since=since)

    def _loaded(self, world: BenchWorld) -> Mapping[str, Any]:
        wish = self._wish
        return {
            "parts": [part.value for part in Part if part in wish.parts],
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


@contextmanager
def _put_away(rig: Rig) -> Iterator[None]:
    try:
        yield
    finally:
        rig.retire()
