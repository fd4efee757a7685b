"""Plans which facts have to be computed: all that is missing, and of the rest only the days that changed.

A fact file carries what it was computed from: the archive's files per day, the gyms, and until when. So a plan that is
made again after a crash or a cancellation contains what is left, and one without changes contains nothing.
"""

import hashlib
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

from deployments.attendance.groups import FigureFile, Group, read_set, source_of, span_of
from domain.attendance.calendar import days_between, months_between
from domain.attendance.model import FigureTable, GymCalendar, Window
from integrations.archive.snapshot import NEVER, ReadSet, TableFiles, table_files
from integrations.figure_store import FigureStore

ROWS_PER_TASK: Final = 4_000_000
_DAYS_OF_MONTH: Final = 30
_ONE_DAY: Final = timedelta(days=1)
_FIGURES_VERSION: Final = 1
"""Increase it when the meaning of a fact changes: all are computed again."""


@dataclass(frozen=True, slots=True)
class FigureRequest:
    """Facts that a report needs.

    Args:
        archive_url: of the archive with its tables.
        gyms: every gym. The stored files are shared by the reports of all of them.
        first_day, last_day: local days, both included.
        as_of: who is inside then still is. Not earlier than the moment of the call.
        archive_options: of S3, as Delta Lake and Polars name them.
    """

    archive_url: str
    store: FigureStore
    tables: frozenset[FigureTable]
    gyms: tuple[GymCalendar, ...]
    first_day: date
    last_day: date
    as_of: datetime
    archive_options: Mapping[str, str] | None = None
    rows_per_task: int = ROWS_PER_TASK


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute, and where all facts are.

    Args:
        groups: tasks, independent of each other.
        paths: of the facts, by table; complete once every group is computed.
    """

    groups: Sequence[Group]
    paths: Mapping[FigureTable, Sequence[str]]

    def figures(self, store: FigureStore, gym_ids: Collection[str]) -> Mapping[FigureTable, pl.LazyFrame]:
        """The facts of some gyms, once every group is computed."""
        is_chosen = pl.col("gym_id").is_in(sorted(gym_ids))
        return {table: store.scan(paths).filter(is_chosen) for table, paths in self.paths.items()}

    @property
    def rows(self) -> int:
        """Rows of the archive that the tasks read."""
        return sum(group.rows for group in self.groups)


def make_plan(request: FigureRequest) -> Plan:
    """Compare the archive with the stored facts.

    The months of tables with days are always whole ones, so that reports about other days find them. The tables without
    days have exactly the requested ones.
    """
    sources = {
        source.name: table_files(request.archive_url, source, request.archive_options)
        for source in {source_of(table).name: source_of(table) for table in request.tables}.values()
    }
    planner = _Planner(request, sources)
    for first_day, last_day in months_between(request.first_day, request.last_day):
        planner.month(first_day, last_day)
    return Plan(planner.groups, planner.paths)


class _Planner:
    """The plan so far."""

    def __init__(self, request: FigureRequest, sources: Mapping[str, TableFiles]) -> None:
        self.groups: list[Group] = []
        self.paths: dict[FigureTable, list[str]] = {table: [] for table in request.tables}
        self._request = request
        self._sources = sources

    def month(self, first_day: date, last_day: date) -> None:
        whole = _whole_month(first_day)
        rows = max(files.rows(*whole) for files in self._sources.values())
        parts = max(1, -(-rows // self._request.rows_per_task))
        for number, gyms in sorted(_divided(self._request.gyms, parts).items()):
            begin, _end = span_of(gyms, first_day, last_day)
            if begin < self._request.as_of:
                self._part(gyms, f"{number + 1}-of-{parts}", rows // parts, Window(first_day, last_day, begin))

    def _part(self, gyms: tuple[GymCalendar, ...], part: str, rows: int, clipped: Window) -> None:
        """Files that are computed for the same days become one task."""
        works: dict[Window, list[FigureFile]] = defaultdict(list)
        for table in sorted(self._request.tables):
            span = _whole_month(clipped.first_day) if table.has_days else (clipped.first_day, clipped.last_day)
            window = Window(*span, self._request.as_of)
            path = self._request.store.path(table, f"{window.first_day}_{window.last_day}", part)
            self.paths[table].append(path)
            needed = self._needed(table, path, gyms, window)
            if needed is not None:
                works[needed[0]].append(needed[1])
        for window, files in works.items():
            share = min(1.0, len(window.days) / _DAYS_OF_MONTH)
            names = {source_of(file.table).name for file in files}
            self.groups.append(
                Group(
                    gyms=gyms,
                    window=window,
                    files=tuple(files),
                    sources={name: read_set(gyms, window, self._sources[name]) for name in sorted(names)},
                    rows=int(rows * share),
                    store=self._request.store,
                    archive_options=self._request.archive_options,
                )
            )

    def _needed(
        self, table: FigureTable, path: str, gyms: tuple[GymCalendar, ...], window: Window
    ) -> tuple[Window, FigureFile] | None:
        """The days to compute of a file; None if it is up to date."""
        read = read_set(gyms, window, self._sources[source_of(table).name])
        inputs = _inputs(read, gyms, window)
        stored = self._request.store.inputs(path)
        if stored is None or any(stored.get(name) != inputs[name] for name in ("version", "gyms")):
            return window, FigureFile(table, path, inputs)
        changed = _changed_since(stored, inputs)
        if changed is None:
            return None
        affected = _affected_days(gyms, window, *changed)
        if affected is None:
            return None
        if not table.has_days or affected == window:
            return window, FigureFile(table, path, inputs)
        return affected, FigureFile(table, path, inputs, keep=True)


def _divided(gyms: Iterable[GymCalendar], parts: int) -> Mapping[int, tuple[GymCalendar, ...]]:
    """Gyms in groups. A new gym does not move others."""
    groups: dict[int, list[GymCalendar]] = defaultdict(list)
    for gym in sorted(gyms, key=lambda gym: gym.gym_id):
        groups[zlib.crc32(gym.gym_id.encode()) % parts].append(gym)
    return {number: tuple(members) for number, members in groups.items()}


def _whole_month(day: date) -> tuple[date, date]:
    first_day = day.replace(day=1)
    following = (first_day + timedelta(days=32)).replace(day=1)
    return first_day, following - timedelta(days=1)


def _inputs(read: ReadSet, gyms: Collection[GymCalendar], window: Window) -> Mapping[str, Any]:
    settings = "\n".join(f"{gym.gym_id} {gym.time_zone} {gym.capacity}" for gym in gyms)
    return {
        "version": _FIGURES_VERSION,
        "gyms": hashlib.blake2b(settings.encode(), digest_size=12).hexdigest(),
        "as_of": window.as_of.isoformat(),
        "days": {
            str(at): [day.fingerprint, None if day.reaches == NEVER else day.reaches.isoformat()]
            for at, day in read.days.items()
        },
    }


def _changed_since(stored: Mapping[str, Any], inputs: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """The time whose facts may differ: that of changed days until their last stay ends, and the time since `as_of`."""
    spans = []
    for at in {*stored["days"], *inputs["days"]}:
        old, new = stored["days"].get(at), inputs["days"].get(at)
        if old != new:
            begin = datetime.combine(date.fromisoformat(at), datetime.min.time(), UTC)
            spans.append((begin, max(begin + _ONE_DAY, _reach(old, new))))
    before, now = (datetime.fromisoformat(found["as_of"]) for found in (stored, inputs))
    if before != now:
        spans.append((min(before, now), max(before, now)))
    return (min(begin for begin, _ in spans), max(end for _, end in spans)) if spans else None


def _reach(*days: Sequence[str | None] | None) -> datetime:
    """Until when the stays of a day last, before and after its change."""
    reaches = [day[1] for day in days if day is not None]
    return NEVER if None in reaches else max(datetime.fromisoformat(reach) for reach in reaches if reach is not None)


def _affected_days(gyms: Iterable[GymCalendar], window: Window, begin: datetime, end: datetime) -> Window | None:
    """The days of a window that a span of time touches, in any of the gyms' time zones."""
    latest = min(end, window.as_of)
    touched = [days_between(zone, min(begin, latest), latest) for zone in {gym.time_zone for gym in gyms}]
    first_day = max(min(first for first, _ in touched), window.first_day)
    last_day = min(max(last for _, last in touched), window.last_day)
    return Window(first_day, last_day, window.as_of) if first_day <= last_day else None
