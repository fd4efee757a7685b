"""Computes the facts of one group of gyms and one span of days, and stores them. Runs in a worker or in a test."""

import resource
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import polars as pl

from domain.attendance.calendar import day_begins_at
from domain.attendance.figures.compute import ArchiveFrames, compute_figures
from domain.attendance.model import FigureTable, GymCalendar, Window
from integrations.archive.schema import MACHINE_USES, SCANS, VISITS, ArchiveTable
from integrations.archive.snapshot import ReadSet, TableFiles, read_files
from integrations.figure_store import FigureStore

_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    VISITS.name: ("gym_id", "member_key", "entered_at", "left_at", "inferred"),
    SCANS.name: ("gym_id", "member_key", "outcome", "reason", "repeat", "decided_at"),
    MACHINE_USES.name: ("gym_id", "machine_id", "member_key", "started_at", "ended_at"),
}
_SOURCE_OF: Final[Mapping[FigureTable, ArchiveTable]] = {
    FigureTable.REFUSALS: SCANS,
    FigureTable.MACHINE_HOURS: MACHINE_USES,
    FigureTable.MACHINE_PEOPLE: MACHINE_USES,
}
_TABLES: Final = {table.name: table for table in (VISITS, SCANS, MACHINE_USES)}


@dataclass(frozen=True, slots=True)
class FigureFile:
    """A file to write.

    Args:
        inputs: what it is computed from, stored with it.
        keep: days outside the computed ones are kept from the file that is there.
    """

    table: FigureTable
    path: str
    inputs: Mapping[str, Any]
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A task: some facts of some gyms for some days.

    Args:
        window: the days to compute.
        files: facts of exactly these days, or of these and others that are kept.
        sources: files of the archive, by table.
        rows: of the archive, about as many as the task reads.
    """

    gyms: tuple[GymCalendar, ...]
    window: Window
    files: tuple[FigureFile, ...]
    sources: Mapping[str, ReadSet]
    rows: int
    store: FigureStore
    archive_options: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What a task wrote.

    Args:
        peak_bytes: greatest memory of its worker so far.
        cpu_s: that the task used.
    """

    paths: tuple[str, ...]
    rows: int
    peak_bytes: int
    cpu_s: float


def source_of(table: FigureTable) -> ArchiveTable:
    """The table of the archive that facts are computed from."""
    return _SOURCE_OF.get(table, VISITS)


def span_of(gyms: Iterable[GymCalendar], first_day: date, last_day: date) -> tuple[datetime, datetime]:
    """The time from the first moment of some local days to their last, over all gyms."""
    zones = {gym.time_zone for gym in gyms}
    following = date.fromordinal(last_day.toordinal() + 1)
    return min(day_begins_at(zone, first_day) for zone in zones), max(day_begins_at(zone, following) for zone in zones)


def read_set(gyms: Iterable[GymCalendar], window: Window, files: TableFiles) -> ReadSet:
    """The files with every fact that touches a window."""
    return files.covering(*span_of(gyms, window.first_day, window.last_day))


def compute_group(group: Group) -> GroupResult:
    """Compute and store the facts of a group. Idempotent."""
    begin = time.process_time()
    frames = {
        name: read_files(_TABLES[name], files, _COLUMNS[name], group.archive_options).collect()
        for name, files in group.sources.items()
    }
    empty = {name: _empty(name) for name in _TABLES}
    archive = ArchiveFrames(*({**empty, **frames}[table.name] for table in (VISITS, SCANS, MACHINE_USES)))
    computed = compute_figures({file.table for file in group.files}, archive, group.gyms, group.window)
    for file in group.files:
        facts = computed[file.table]
        if file.keep:
            facts = _merged(group.store.read(file.path), facts, group.window)
        group.store.write(file.path, facts, file.inputs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return GroupResult(tuple(file.path for file in group.files), group.rows, peak, time.process_time() - begin)


def _merged(stored: pl.DataFrame, computed: pl.DataFrame, window: Window) -> pl.DataFrame:
    others = stored.filter(~pl.col("day").is_between(window.first_day, window.last_day))
    return pl.concat([others, computed]) if computed.width else others


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema={column: _TABLES[name].columns[column] for column in _COLUMNS[name]})
