"""The Delta Lake tables of the archive: opens, appends to, and rewrites them.

Storage that does not respond raises `ArchiveUnavailableError`; a commit of somebody else that came first raises
`ArchiveConflictError`, after which the caller reads the table again.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from domain.attendance.facts import FactTable
from domain.errors import UnavailableError
from integrations.archive.rows import SHAPES, empty
from integrations.archive.schema import DAY
from integrations.settings import ArchiveSettings

# A commit fails after these times, so that the caller can go on and show that it is alive.
_S3_LIMITS = {"timeout": "20s", "connect_timeout": "5s", "max_retries": "2", "retry_timeout": "20s"}
_COMMITS_PER_CHECKPOINT = 100
_TARGET_FILE_BYTES = 128 * 1024 * 1024


class ArchiveUnavailableError(UnavailableError):
    """The storage of the archive does not respond, or refuses."""


class ArchiveConflictError(Exception):
    """Another commit came first and changed what this one was based on. Nothing was written."""


class DeltaStore:
    """The tables of the archive. Not thread-safe: each thread opens its own.

    A table is created when it is first used.

    Args:
        settings: where the tables are.
    """

    def __init__(self, settings: ArchiveSettings) -> None:
        self._url = settings.url.rstrip("/")
        self._access = storage_access(settings)
        self._options = self._access | _S3_LIMITS if self._access else {}
        self._keep = timedelta(hours=settings.keep_old_files_hours)
        self._tables: dict[FactTable, DeltaTable] = {}

    def refresh(self, table: FactTable) -> DeltaTable:
        """The newest version of a table.

        Raises:
            ArchiveUnavailableError: the storage does not respond.
        """
        with self._translating(table):
            known = self._tables.get(table)
            if known is not None:
                known.update_incremental()
                return known
            opened = self._tables[table] = self._open(table)
            return opened

    def scan(self, table: FactTable) -> pl.LazyFrame:
        """The rows of the newest version of a table, which are read when they are collected."""
        delta = self.refresh(table)
        if not delta.file_uris():
            return empty(table)
        if not self._access:
            return pl.scan_delta(delta)
        # Polars reads the options of an opened table too, and does not understand Delta Lake's limits.
        return pl.scan_delta(f"{self._url}/{table.value}", version=delta.version(), storage_options=self._access)

    def transaction_version(self, table: FactTable, app_id: str) -> int | None:
        """The last version that was committed under a name, as of the last `refresh`."""
        return self._tables[table].transaction_version(app_id)

    def append(self, table: FactTable, rows: pl.DataFrame, transactions: Mapping[str, int]) -> None:
        """Append rows to the version of the last `refresh`, together with the versions of transactions.

        Raises:
            ArchiveConflictError: another commit has one of these transactions, or rewrote rows.
            ArchiveUnavailableError: the storage does not respond. The rows may have been written.
        """
        self._write(table, rows, "append", None, transactions)

    def replace_day(self, table: FactTable, day: date, rows: pl.DataFrame) -> None:
        """Replace the rows of a day in the version of the last `refresh`, by files of a good size.

        Raises:
            ArchiveConflictError: rows of this day were added or replaced since then.
            ArchiveUnavailableError: the storage does not respond. The rows may have been replaced.
        """
        self._write(table, rows, "overwrite", f"{DAY} = '{day.isoformat()}'", {})

    def files(self, table: FactTable) -> Mapping[date, list[str]]:
        """The names of the files of each day, as of the last `refresh`."""
        names: dict[date, list[str]] = {}
        actions = self._tables[table].get_add_actions(flatten=True)
        listed: pl.DataFrame = pl.DataFrame(actions)
        for path, day in listed.select("path", f"partition.{DAY}").iter_rows():
            names.setdefault(day, []).append(path)
        return names

    def compact(self, table: FactTable, day: date) -> None:
        """Merge the small files of a day. Appends may go on meanwhile; the rows stay as they are."""
        delta = self.refresh(table)
        with self._translating(table):
            delta.optimize.compact(partition_filters=[(DAY, "=", day.isoformat())], target_size=_TARGET_FILE_BYTES)

    def vacuum(self, table: FactTable) -> int:
        """Delete files that no version within the retention uses, and return their number.

        A reader that holds a version for longer than the retention fails.
        """
        delta = self.refresh(table)
        hours = int(self._keep.total_seconds() // 3600)
        with self._translating(table):
            return len(delta.vacuum(hours, dry_run=False, enforce_retention_duration=False))

    def _open(self, table: FactTable) -> DeltaTable:
        where = f"{self._url}/{table.value}"
        try:
            return DeltaTable(where, storage_options=self._options or None)
        except TableNotFoundError:
            DeltaTable.create(
                where,
                SHAPES[table].delta_schema,
                mode="ignore",
                partition_by=[DAY],
                name=table.value,
                configuration={
                    "delta.checkpointInterval": str(_COMMITS_PER_CHECKPOINT),
                    "delta.logRetentionDuration": "interval 2 days",
                    "delta.deletedFileRetentionDuration": "interval 2 days",
                },
                storage_options=self._options or None,
            )
            return DeltaTable(where, storage_options=self._options or None)

    def _write(
        self,
        table: FactTable,
        rows: pl.DataFrame,
        mode: Any,  # noqa: ANN401 - a literal of the library
        predicate: str | None,
        transactions: Mapping[str, int],
    ) -> None:
        named = [Transaction(app_id, version) for app_id, version in transactions.items()]
        with self._translating(table):
            write_deltalake(
                self._tables[table],
                rows,
                mode=mode,
                predicate=predicate,
                target_file_size=_TARGET_FILE_BYTES,
                commit_properties=CommitProperties(app_transactions=named or None),
            )

    @contextmanager
    def _translating(self, table: FactTable) -> Iterator[None]:
        """Translate errors, and forget the opened table after one."""
        try:
            yield
        except (SchemaMismatchError, DeltaProtocolError):
            self._tables.pop(table, None)
            raise
        except CommitFailedError as error:
            self._tables.pop(table, None)
            raise ArchiveConflictError(_first_line(error)) from error
        except (DeltaError, OSError) as error:
            self._tables.pop(table, None)
            raise ArchiveUnavailableError(f"{table}: {_first_line(error)}") from error


def digest(names: list[str]) -> str:
    """A digest of the names of a day's files. Delta Lake never changes a file, and never uses a name again."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def storage_access(settings: ArchiveSettings) -> dict[str, str]:
    """How the storage is reached, as Delta Lake and Polars name it; empty for a folder."""
    if not settings.url.startswith("s3://"):
        return {}
    named = {
        "aws_region": settings.region,
        "aws_endpoint_url": settings.endpoint_url,
        "aws_access_key_id": settings.access_key_id,
        "aws_secret_access_key": settings.secret_access_key.get_secret_value(),
    }
    options = {name: value for name, value in named.items() if value}
    if settings.endpoint_url.startswith("http://"):
        options["aws_allow_http"] = "true"
    return options


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
