"""Reads the archive: which files there are, and the current version of each fact in them.

A computation takes one snapshot of a table's files and passes them on, so that all its tasks see the same archive.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from integrations.archive.schema import DAY, MACHINE_USES, VERSION, VISITS, ArchiveTable

NEVER: Final = datetime.max.replace(tzinfo=UTC)
"""Until when a day reaches if one of its stays goes on."""
_ENDS: Final[Mapping[str, str]] = {VISITS.name: "left_at", MACHINE_USES.name: "ended_at"}
_OWN_DAY: Final = "_day"
_STATISTICS_STEP: Final = timedelta(milliseconds=1)  # Delta's statistics drop microseconds


@dataclass(frozen=True, slots=True)
class ArchiveDay:
    """The files of one day.

    Args:
        is_settled: one file that was read from the database at once: it has each fact once.
        reaches: no stay of this day lasts longer; `NEVER` if one goes on.
        fingerprint: changes whenever the day's files do.
    """

    paths: tuple[str, ...]
    rows: int
    is_settled: bool
    reaches: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReadSet:
    """Files to read.

    Args:
        settled: files with each fact once.
        versioned: files whose versions and repeats have to be sorted out.
        days: the days that were chosen.
    """

    settled: tuple[str, ...] = ()
    versioned: tuple[str, ...] = ()
    days: Mapping[date, ArchiveDay] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of a table at one version.

    Args:
        version: of the Delta table; -1 if it does not exist.
    """

    table: ArchiveTable
    version: int
    days: Mapping[date, ArchiveDay]

    def rows(self, first_day: date, last_day: date) -> int:
        """Rows of these days, all versions counted."""
        return sum(day.rows for at, day in self.days.items() if first_day <= at <= last_day)

    def covering(self, begin: datetime, end: datetime) -> ReadSet:
        """The files with every fact that touches a span of time.

        Stays that began earlier are found by the statistics of their files. Each day can be read by itself: a fact that
        moves to another day is annulled on its former one.

        Args:
            end: excluded.
        """
        first, last = begin.date(), end.date()
        days = {at: day for at, day in self.days.items() if at <= last and (at >= first or day.reaches > begin)}
        return ReadSet(
            tuple(path for day in days.values() if day.is_settled for path in day.paths),
            tuple(path for day in days.values() if not day.is_settled for path in day.paths),
            days,
        )


def table_files(archive_url: str, table: ArchiveTable, storage_options: Mapping[str, str] | None = None) -> TableFiles:
    """The files of a table now. A table that does not exist has none.

    Args:
        archive_url: folder or `s3://` address of the archive.
        storage_options: of S3, as Delta Lake and Polars name them.
    """
    url = table.url(archive_url)
    try:
        delta = DeltaTable(url, storage_options=dict(storage_options or {}))
    except TableNotFoundError:
        return TableFiles(table, -1, {})
    actions = pl.DataFrame(delta.get_add_actions(flatten=True))
    by_day: dict[date, list[dict[str, object]]] = defaultdict(list)
    for row in actions.iter_rows(named=True):
        by_day[row[f"partition.{DAY}"]].append(row)
    return TableFiles(table, delta.version(), {at: _day(table, url, by_day[at]) for at in sorted(by_day)})


def read_files(
    table: ArchiveTable,
    files: ReadSet,
    columns: Sequence[str],
    storage_options: Mapping[str, str] | None = None,
) -> pl.LazyFrame:
    """The current version of each fact, without annulled ones."""
    frames = []
    if files.settled:
        frames.append(_scan(files.settled, storage_options).filter(~pl.col("annulled")).select(columns))
    if files.versioned:
        frames.append(current_versions(_scan(files.versioned, storage_options), table).select(columns))
    if not frames:
        return pl.LazyFrame(schema={name: table.columns[name] for name in columns})
    return pl.concat(frames)


def current_versions(rows: pl.LazyFrame, table: ArchiveTable) -> pl.LazyFrame:
    """The current version of each fact of some rows, without annulled ones.

    A repeat of an event counts as little as if it had not come: with its later offset it would win over newer versions.
    A fact that moved to another day was annulled on its former one by the same event, so each day stands by itself.
    """
    fact = [_OWN_DAY, table.key]
    # One event may change several facts.
    is_repeat = pl.col("event_id").is_not_null() & ~pl.struct("event_id", *fact).is_first_distinct()
    return (
        rows.with_columns(pl.col(table.day_of).dt.date().alias(_OWN_DAY))
        .sort(VERSION, maintain_order=True)
        .filter(~is_repeat)
        .unique(fact, keep="last", maintain_order=True)
        .filter(~pl.col("annulled"))
        .drop(_OWN_DAY)
    )


def read_current(
    archive_url: str,
    table: ArchiveTable,
    begin: datetime,
    end: datetime,
    storage_options: Mapping[str, str] | None = None,
) -> pl.LazyFrame:
    """Every column of the current facts that touch a span of time, and maybe of others near it.

    Args:
        archive_url: folder or `s3://` address of the archive.
        end: excluded.
    """
    files = table_files(archive_url, table, storage_options).covering(begin, end)
    return read_files(table, files, list(table.columns), storage_options)


def _scan(paths: Sequence[str], storage_options: Mapping[str, str] | None) -> pl.LazyFrame:
    return pl.scan_parquet(list(paths), storage_options=dict(storage_options or {}) or None, hive_partitioning=False)


def _day(table: ArchiveTable, url: str, actions: Sequence[Mapping[str, object]]) -> ArchiveDay:
    paths = sorted(f"{url}/{unquote(str(action['path']))}" for action in actions)
    rows = [action.get("num_records") for action in actions]
    return ArchiveDay(
        paths=tuple(paths),
        rows=sum(count for count in rows if isinstance(count, int)),
        is_settled=len(actions) == 1 and _was_read_at_once(actions[0]),
        reaches=max(_reaches(table, action) for action in actions),
        fingerprint=hashlib.blake2b("\n".join(paths).encode(), digest_size=12).hexdigest(),
    )


def _was_read_at_once(action: Mapping[str, object]) -> bool:
    """Whether all rows of a file come from one reading of the database; the offset is then its time."""
    offset = action.get("min.offset")
    return action.get("max.source") == 0 and offset is not None and offset == action.get("max.offset")


def _reaches(table: ArchiveTable, action: Mapping[str, object]) -> datetime:
    ends = _ENDS.get(table.name)
    if ends is None:
        return datetime.min.replace(tzinfo=UTC)
    latest = action.get(f"max.{ends}")
    # Without statistics anything is possible.
    if action.get(f"null_count.{ends}") != 0 or not isinstance(latest, datetime):
        return NEVER
    return latest + _STATISTICS_STEP
