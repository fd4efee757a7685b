"""What a scan costs with a million members and years of visits, beside one with a thousand members and no past."""

import shutil
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text

from cluster.errors import CommandError
from cluster.load.benchmark.inside import Compared
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.noop import FASTAPI
from cluster.load.benchmark.rig import Rig
from cluster.load.benchmark.roomy_server import roomy_server
from cluster.load.benchmark.traffic import ScanRun, ScanRuns
from cluster.load.past import Past
from cluster.load.past_loading import Loaded, load_past, some_members
from cluster.load.world import BenchWorld
from domain.clock import system_clock

CONNECTIONS = 64
RUNS = 2
_FEW = 1000
_INSIDE = 450  # of the few nearly half; of the many as many, so that they differ in nothing else
_SCANNING = 20_000  # of all members, drawn at random: nobody scans twice in a run
_GYMS = 10
_BYTES_A_VISIT, _BYTES_A_SCAN = 320, 450  # with indexes; twice that is needed while these are built


@dataclass(frozen=True, slots=True)
class LargeWish:
    """How large.

    Args:
        buffer_pool_bytes: of MariaDB, in both measurements.
    """

    past: Past
    buffer_pool_bytes: int


@dataclass(frozen=True, slots=True)
class Large:
    """Few and many.

    Args:
        noops: of FastAPI, beside the first and beside the second: what drifts shows here.
        occupancy: how fast it is read with few, and with many.
        bytes_stored: of tables and indexes after loading.
    """

    compared: Compared
    noops: tuple[Rate, Rate]
    occupancy: tuple[Rate, Rate]
    loaded: Loaded
    buffer_pool_bytes: int
    bytes_stored: int

    @property
    def is_good(self) -> bool:
        """Whether every answer came and was right."""
        return self.compared.is_good and not any(rate.errors for rate in (*self.noops, *self.occupancy))

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            **self.compared.as_json(),
            "few_members": _FEW,
            "scanning_members": _SCANNING,
            "connections": CONNECTIONS,
            "loaded": self.loaded.rows,
            "loading_s": round(self.loaded.seconds, 1),
            "innodb_buffer_pool_size": self.buffer_pool_bytes,
            "stored_bytes": self.bytes_stored,
            "noop_rps": [round(noop.per_second, 1) for noop in self.noops],
            "occupancy_rps": [round(rate.per_second, 1) for rate in self.occupancy],
            "occupancy_p50_ms": [round(rate.p50_ms, 2) for rate in self.occupancy],
            "occupancy_cpu_ms": [round(rate.cpu_ms_of_all(), 3) for rate in self.occupancy],
        }


def measure_large(rig: Rig, wish: LargeWish) -> Large:
    """Measure with few, load many, measure again.

    Raises:
        CommandError: there is no room for it, or MariaDB takes no larger buffer pool.
    """
    _refuse_without_room(rig, wish.past)
    with roomy_server(rig.record.data_dir, wish.buffer_pool_bytes):
        few = rig.world(gyms=_GYMS, members=_FEW)
        first, before, read_before = _measure(rig, "few", rig.runs(few))
        rig.reconcile()
        rig.watcher.now(f"large: loading {wish.past.members:,} members, {wish.past.visits:,} visits and their scans")
        whole = rig.world(gyms=_GYMS, members=0, capacity=_SCANNING)
        rig.has_past = True
        url = rig.store.engine.url.render_as_string(hide_password=False)
        loaded = load_past(url, whole, wish.past, system_clock())
        told = ", ".join(f"{number:,} {name}" for name, number in loaded.rows.items())
        rig.watcher.said(f"loaded {told} in {loaded.seconds:.0f} s")
        many = _scanning(whole, wish.past, rig.seed)
        second, after, read_after = _measure(rig, "many", rig.runs(many))
        noops, read = (before, after), (read_before, read_after)
        return Large(Compared(first, second), noops, read, loaded, wish.buffer_pool_bytes, _stored(rig))


def _measure(rig: Rig, what: str, runs: ScanRuns) -> tuple[list[ScanRun], Rate, Rate]:
    """Scans, a no-op, and reads of occupancy while as many are inside as in any other measurement."""
    noop = rig.noop(FASTAPI, CONNECTIONS)
    rig.watcher.now(f"large: scans with {what} members")
    runs.move(_INSIDE)
    read = rig.occupancy(runs.world, CONNECTIONS)
    return [runs.measure(CONNECTIONS, rig.seconds) for _ in range(RUNS)], noop, read


def _scanning(whole: BenchWorld, past: Past, seed: int) -> BenchWorld:
    return replace(whole, members=some_members(past, min(_SCANNING, past.members), seed))


def _refuse_without_room(rig: Rig, past: Past) -> None:
    needed = 2 * (past.visits * _BYTES_A_VISIT + 2 * past.scanned * _BYTES_A_SCAN)
    free = shutil.disk_usage(rig.record.data_dir).free
    if free < needed:
        raise CommandError(
            f"the data folder has {free / 1e9:.0f} GB left, and {needed / 1e9:.0f} GB may be needed",
            "set FITMONITOR_DATA_DIR to a larger disk, or --visits to fewer",
        )


def _stored(rig: Rig) -> int:
    with rig.store.reading() as connection:
        query = "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
        return int(connection.execute(text(query)).scalar() or 0)
