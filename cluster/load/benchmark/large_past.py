"""Measures a scan's cost with a million members and years of visits, next to a thousand members and no visits."""

import shutil
from dataclasses import dataclass, replace

from sqlalchemy import text

from cluster.errors import CommandError
from cluster.load.benchmark.closed_loop import compared
from cluster.load.benchmark.measured_stack import MeasuredStack
from cluster.load.benchmark.measurements import Rate
from cluster.load.benchmark.noop import FASTAPI
from cluster.load.benchmark.own_stack import larger_buffer_pool
from cluster.load.benchmark.traffic import ScanRun, ScanTraffic
from cluster.load.figures import Figures
from cluster.load.past_visits import Past, some_members, write_past
from cluster.load.world import World
from domain.clock import system_clock

_CONNECTIONS = 64
_RUNS = 2
_FEW = 1000
_INSIDE = 450  # of the few nearly half; of the many as many, so that they differ in nothing else
_SCANNING = 20_000  # of all members, drawn at random: nobody scans twice in a run
_GYMS = 10
_BYTES_PER_VISIT, _BYTES_PER_SCAN = 320, 450  # with indexes; building these needs twice that


@dataclass(frozen=True, slots=True)
class LargePastOptions:
    """How large the past is.

    Args:
        buffer_pool_bytes: of MariaDB, in both measurements.
    """

    past: Past
    buffer_pool_bytes: int


def measure_large_past(stack: MeasuredStack, options: LargePastOptions) -> Figures:
    """Measure with few, write the past, measure again.

    A no-op is measured next to both: a drift of the machine shows there. Of pairs of figures the first is with few.

    Raises:
        CommandError: there is not enough disk space, or MariaDB accepts no larger buffer pool.
    """
    past = options.past
    _require_space(stack, past)
    with larger_buffer_pool(stack.record.data_dir, options.buffer_pool_bytes):
        first, before, read_before = _measure(stack, "few", stack.seed(gyms=_GYMS, members=_FEW))
        stack.reconcile()
        stack.status.update(f"large: writing {past.members:,} members, {past.visits:,} visits and their scans")
        whole = stack.seed(gyms=_GYMS, members=0, capacity=_SCANNING)
        stack.has_past = True
        url = stack.store.engine.url.render_as_string(hide_password=False)
        written = write_past(url, whole, past, system_clock())
        rows = ", ".join(f"{number:,} {name}" for name, number in written.rows.items())
        stack.status.console.print(f"wrote {rows} in {written.seconds:.0f} s")
        scanning = some_members(past, min(_SCANNING, past.members), stack.random_seed)
        second, after, read_after = _measure(stack, "many", replace(whole, members=scanning))
        noops, reads = (before, after), (read_before, read_after)
        return {
            **compared(first, second),
            "few_members": _FEW,
            "scanning_members": _SCANNING,
            "connections": _CONNECTIONS,
            "loaded": written.rows,
            "loading_s": round(written.seconds, 1),
            "innodb_buffer_pool_size": options.buffer_pool_bytes,
            "stored_bytes": _bytes_stored(stack),
            "noop_rps": [round(rate.per_second, 1) for rate in noops],
            "noop_cpu_ms": [round(rate.cpu_ms_of_all(), 3) for rate in noops],
            "noop_errors": sum(rate.errors for rate in noops),
            "occupancy_rps": [round(rate.per_second, 1) for rate in reads],
            "occupancy_p50_ms": [round(rate.p50_ms, 2) for rate in reads],
            "occupancy_cpu_ms": [round(rate.cpu_ms_of_all(), 3) for rate in reads],
            "occupancy_errors": sum(rate.errors for rate in reads),
        }


def _measure(stack: MeasuredStack, what: str, world: World) -> tuple[list[ScanRun], Rate, Rate]:
    """Scans, a no-op, and reads of the occupancy, with the same number inside in every measurement."""
    noop = stack.noop(FASTAPI, _CONNECTIONS)
    stack.status.update(f"large: scans with {what} members")
    traffic = ScanTraffic(stack, world)
    traffic.enter(_INSIDE)
    occupancy = stack.occupancy(world, _CONNECTIONS)
    return [traffic.measure(_CONNECTIONS, stack.seconds) for _ in range(_RUNS)], noop, occupancy


def _require_space(stack: MeasuredStack, past: Past) -> None:
    needed = 2 * (past.visits * _BYTES_PER_VISIT + 2 * past.scanned * _BYTES_PER_SCAN)
    free = shutil.disk_usage(stack.record.data_dir).free
    if free < needed:
        raise CommandError(
            f"the data folder has {free / 1e9:.0f} GB left, and up to {needed / 1e9:.0f} GB are needed",
            "set FITMONITOR_DATA_DIR to a larger disk, or --visits to fewer",
        )


def _bytes_stored(stack: MeasuredStack) -> int:
    with stack.store.reading() as connection:
        query = "SELECT SUM(data_length + index_length) FROM information_schema.tables WHERE table_schema = DATABASE()"
        return int(connection.execute(text(query)).scalar() or 0)
