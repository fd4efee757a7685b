"""Compares days of the archive with the database, and rewrites those that differ.

The archive is read before the database, and an event is published after its commit. So the database has at least what
the archive has, and a row that the database lacks is wrong. When events of the same day are archived meanwhile, the
rewrite is refused as a conflict and begins again. Events that are archived later have a greater source than the
rewritten rows, which have source 0.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from uuid import UUID

import polars as pl
import structlog
from sqlalchemy import Connection

from domain.attendance.archive_repository import ArchiveRepository
from domain.attendance.fact_repository import FactRepository
from domain.attendance.facts import ArchivedFact, FactTable
from domain.attendance.member_keys import keys_of
from domain.clock import Clock, system_clock
from domain.unit_of_work import Store
from integrations.archive.delta_table import ArchiveConflictError, ArchiveUnavailableError, DeltaStore, digest
from integrations.archive.reading import latest, versions
from integrations.archive.rows import ANNULLED, MEMBER_KEY, SHAPES, database_rows, values_of

_log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_ROWS_PER_FILE = 1_000_000  # a file of the largest size has more; a day with more rows has several files

Beat = Callable[[], None]
"""Called between pieces of work: it may raise to end them, for example when a lease is lost."""


@dataclass(frozen=True, slots=True)
class DayResult:
    """How a day of one table compared with the database.

    Args:
        missing: facts that only the database had.
        surplus: facts that only the archive had.
        different: facts with other values.
        rewritten: whether the archive now has what the database has.
        compacted: whether superseded versions and small files were merged.
    """

    table: FactTable
    day: date
    facts: int
    missing: int = 0
    surplus: int = 0
    different: int = 0
    rewritten: bool = False
    compacted: bool = False

    @property
    def agrees(self) -> bool:
        """Whether the day was as it should be."""
        return not (self.missing or self.surplus or self.different)


class Verification:
    """Verifies days of the archive.

    Args:
        store: the database.
        archive: the tables of the archive.
        clock: the current time.
        beat: see `Beat`.
    """

    def __init__(
        self, store: Store, archive: DeltaStore, clock: Clock = system_clock, beat: Beat = lambda: None
    ) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock
        self._beat = beat

    def changed_days(self, before: date) -> list[tuple[FactTable, date]]:
        """The closed days whose files are others than those that were verified, the oldest first.

        Args:
            before: the first day that is not closed.

        Raises:
            ArchiveUnavailableError: the storage does not respond.
        """
        found = []
        for table in FactTable:
            self._archive.refresh(table)
            with self._store.reading() as connection:
                verified = ArchiveRepository(connection).verified_files(table)
            found += [
                (day, table)
                for day, names in self._archive.files(table).items()
                if day < before and verified.get(day) != digest(names)
            ]
        return [(table, day) for day, table in sorted(found)]

    def late_days(self, created_on: date) -> list[tuple[FactTable, date]]:
        """The earlier days of facts that the database learned on a day."""
        with self._store.reading() as connection:
            repository = FactRepository(connection)
            return [(table, day) for table in FactTable for day in sorted(repository.late_days(table, created_on))]

    def verify(self, table: FactTable, day: date, *, rewrite: bool = True) -> DayResult:
        """Compare a day with the database; rewrite it where it differs, compact it where it does not.

        Args:
            rewrite: False: change nothing.

        Raises:
            ArchiveUnavailableError: the storage does not respond.
        """
        for _ in range(_ATTEMPTS):
            self._beat()
            try:
                return self._verify(table, day, rewrite=rewrite)
            except ArchiveConflictError as error:
                _log.info("archive_day_changed", table=table.value, day=day.isoformat(), reason=str(error))
        raise ArchiveUnavailableError(f"{table.value} of {day}: other commits came first, {_ATTEMPTS} times")

    def _verify(self, table: FactTable, day: date, *, rewrite: bool) -> DayResult:
        stored = versions(self._archive, table, day, day).collect()
        files = self._archive.files(table).get(day, [])
        archived = latest(stored.lazy(), table).collect()
        expected, nameless = self._expected(table, day, archived)
        result = _compared(table, day, archived.filter(~pl.col(ANNULLED)), expected, nameless)
        if not rewrite:
            return result
        if not result.agrees or _can_be_compacted(stored, len(files), result.facts):
            self._archive.replace_day(table, day, expected)
            return replace(result, rewritten=not result.agrees, compacted=result.agrees)
        # A day that was changed is verified once more: events may have been archived after the change.
        self._store.written(partial(_mark, table=table, day=day, files=digest(files), now=self._clock()))
        return result

    def _expected(self, table: FactTable, day: date, archived: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
        """The rows of a day by the database, and the ids of those without a member.

        Facts that were created late are found by the ids that the archive has.
        """
        read_at = self._clock()
        found: dict[UUID, ArchivedFact] = {}
        with self._store.reading() as connection:
            repository = FactRepository(connection)
            for part in repository.of_day(table, day):
                self._beat()
                found |= {fact.id: fact for fact in part}
            others = {UUID(id_) for id_ in archived[SHAPES[table].key]} - found.keys()
            found |= {
                fact.id: fact for fact in repository.by_ids(table, others) if fact.day == day and not fact.annulled
            }
        facts = [found[id_] for id_ in sorted(found)]
        keys = keys_of(self._store, {fact.member_id for fact in facts if fact.member_id is not None})
        nameless = {str(fact.id) for fact in facts if fact.member_id is None or fact.member_id not in keys}
        return database_rows(table, facts, keys, read_at), nameless


def _mark(connection: Connection, *, table: FactTable, day: date, files: str, now: datetime) -> None:
    ArchiveRepository(connection).mark_verified(table, day, files, now)


def _can_be_compacted(stored: pl.DataFrame, files: int, facts: int) -> bool:
    """Whether a day that agrees is quicker to read as one file with one row per fact, all from the database."""
    is_settled = len(stored) == facts and not (stored["source"] != 0).any()
    return not is_settled or files > 1 + len(stored) // _ROWS_PER_FILE


def _compared(
    table: FactTable, day: date, archived: pl.DataFrame, expected: pl.DataFrame, nameless: Iterable[str]
) -> DayResult:
    """Compare rows by their values. Of a fact without a member any key is right: it names nobody any more."""
    key, values = SHAPES[table].key, values_of(table)
    left, right = archived.select(values), expected.select(values)
    if MEMBER_KEY in values:
        forgotten = pl.col(key).is_in(list(nameless))
        left = left.with_columns(pl.when(~forgotten).then(pl.col(MEMBER_KEY)).alias(MEMBER_KEY))
    missing = right.join(left, on=key, how="anti")
    surplus = left.join(right, on=key, how="anti")
    common = left.join(right, on=key, how="semi")
    same = common.join(right, on=values, how="semi", nulls_equal=True)
    return DayResult(
        table, day, len(right), missing=len(missing), surplus=len(surplus), different=len(common) - len(same)
    )
