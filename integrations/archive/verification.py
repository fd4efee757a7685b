"""Compares days of the archive with the database, and rewrites those that differ.

The archive is read before the database, and an event is published after its commit. So the database has at least what
the archive has, and a row that the database lacks is wrong. When events of the same day are archived meanwhile, the
rewrite is refused as a conflict and begins again. Events that are archived later have a greater source than the
rewritten rows, which have source 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from uuid import UUID

import polars as pl
import structlog
from sqlalchemy import Connection

from domain.attendance.archive_repository import ArchiveRepository
from domain.attendance.fact_repository import FactRepository
from domain.attendance.facts import ArchivedFact, ArchiveTable
from domain.attendance.member_keys import keys_of
from domain.clock import Clock, system_clock
from domain.unit_of_work import Store
from integrations.archive.delta_table import ArchiveConflictError, ArchiveUnavailableError, DeltaStore, digest
from integrations.archive.reading import latest, versions
from integrations.archive.schemas import ANNULLED, FROM_DATABASE, MEMBER_KEY, SHAPES, Position, frame_of

_log = structlog.get_logger(__name__)

_ATTEMPTS = 5
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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

    table: ArchiveTable
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

    def changed_days(self, before: date) -> list[tuple[ArchiveTable, date]]:
        """The closed days whose files are others than those that were verified, the oldest first.

        Args:
            before: the first day that is not closed.

        Raises:
            ArchiveUnavailableError: the storage does not respond.
        """
        found = []
        for table in ArchiveTable:
            self._archive.refresh(table)
            with self._store.reading() as connection:
                verified = ArchiveRepository(connection).verified_files(table)
            found += [
                (day, table)
                for day, names in self._archive.files(table).items()
                if day < before and verified.get(day) != digest(names)
            ]
        return [(table, day) for day, table in sorted(found)]

    def late_days(self, created_on: date) -> list[tuple[ArchiveTable, date]]:
        """The earlier days of facts that the database learned on a day."""
        with self._store.reading() as connection:
            repository = FactRepository(connection)
            return [(table, day) for table in ArchiveTable for day in sorted(repository.late_days(table, created_on))]

    def verify(self, table: ArchiveTable, day: date, *, rewrite: bool = True) -> DayResult:
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

    def _verify(self, table: ArchiveTable, day: date, *, rewrite: bool) -> DayResult:
        stored = versions(self._archive, table, day, day).collect()
        files = self._archive.files(table).get(day, [])
        archived = latest(stored.lazy(), table).collect()
        expected, nameless = self._expected(table, day, archived)
        result = _compared(table, day, archived.filter(~pl.col(ANNULLED)), expected, nameless)
        if not rewrite:
            return result
        if not result.agrees:
            self._archive.replace_day(table, day, expected)
            return replace(result, rewritten=True)
        if len(files) > 1 or len(stored) > len(archived):
            self._archive.replace_day(table, day, archived.sort(SHAPES[table].key))
            return replace(result, compacted=True)
        # A day that was changed is verified once more: events may have been archived after the change.
        self._store.written(partial(_mark, table=table, day=day, files=digest(files), now=self._clock()))
        return result

    def _expected(self, table: ArchiveTable, day: date, archived: pl.DataFrame) -> tuple[pl.DataFrame, set[str]]:
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


def database_rows(
    table: ArchiveTable, facts: Sequence[ArchivedFact], keys: Mapping[UUID, int], read_at: datetime
) -> pl.DataFrame:
    """Facts that were read from the database as rows, which lose against every row from Kafka."""
    position = Position(FROM_DATABASE, 0, (read_at - _EPOCH) // _MICROSECOND, None)
    return frame_of(table, ((position, fact) for fact in facts), keys)


def _mark(connection: Connection, *, table: ArchiveTable, day: date, files: str, now: datetime) -> None:
    ArchiveRepository(connection).mark_verified(table, day, files, now)


def _compared(
    table: ArchiveTable, day: date, archived: pl.DataFrame, expected: pl.DataFrame, nameless: Iterable[str]
) -> DayResult:
    """Compare rows by their values. Of a fact without a member any key is right: it names nobody any more."""
    shape = SHAPES[table]
    left, right = archived.select(shape.values), expected.select(shape.values)
    if MEMBER_KEY in shape.columns:
        forgotten = pl.col(shape.key).is_in(list(nameless))
        left = left.with_columns(pl.when(~forgotten).then(pl.col(MEMBER_KEY)).alias(MEMBER_KEY))
    missing = right.join(left, on=shape.key, how="anti")
    surplus = left.join(right, on=shape.key, how="anti")
    common = left.join(right, on=shape.key, how="semi")
    same = common.join(right, on=shape.values, how="semi", nulls_equal=True)
    return DayResult(
        table, day, len(right), missing=len(missing), surplus=len(surplus), different=len(common) - len(same)
    )
