"""Fills the archive from the database: for what happened before the archive existed or before Kafka's retention."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from domain.attendance.fact_repository import FactRepository
from domain.attendance.facts import ArchivedFact, FactTable
from domain.attendance.member_keys import keys_of
from domain.clock import Clock, system_clock
from domain.unit_of_work import Store
from integrations.archive.delta_table import ArchiveConflictError, ArchiveUnavailableError, DeltaStore
from integrations.archive.rows import database_rows

_APP_ID = "backfill"
_ATTEMPTS = 8

Advance = Callable[[str, int], None]
"""Called with the name of a table and the number of rows that were read since the last call."""


class Backfill:
    """Appends the rows of the database, day by day of their creation.

    Each commit carries the day, so that an interrupted backfill continues there. Nothing is counted twice: of a fact
    that the archive has already, the version from Kafka counts, or the one that was read last from the database.

    Args:
        store: the database.
        archive: the tables of the archive.
        clock: the current time.
    """

    def __init__(self, store: Store, archive: DeltaStore, clock: Clock = system_clock) -> None:
        self._store = store
        self._archive = archive
        self._clock = clock

    def first_day(self) -> date | None:
        """The day on which the oldest row was created; None: there is none."""
        with self._store.reading() as connection:
            oldest = FactRepository(connection).first_created_at()
        return None if oldest is None else oldest.date()

    def done_until(self, table: FactTable) -> date | None:
        """The last day that a backfill has written; None: there was none.

        Raises:
            ArchiveUnavailableError: the storage does not respond.
        """
        self._archive.refresh(table)
        version = self._archive.transaction_version(table, _APP_ID)
        return None if version is None else date.fromordinal(version)

    def count(self, table: FactTable, first: date, last: date) -> int:
        """The number of rows of the database that were created on some days, annulled ones included."""
        with self._store.reading() as connection:
            return FactRepository(connection).count_created(table, _start(first), _start(last) + timedelta(days=1))

    def run(self, table: FactTable, first: date, last: date, advance: Advance) -> int:
        """Append the facts whose rows were created on some days, both included, and return their number.

        Raises:
            ArchiveUnavailableError: the storage does not respond. What was committed stays.
        """
        written = 0
        for day in _days(first, last):
            facts: list[ArchivedFact] = []
            read_at = self._clock()
            with self._store.reading() as connection:
                created = FactRepository(connection).created(table, _start(day), _start(day) + timedelta(days=1))
                for part in created:
                    facts += part
                    advance(table.value, len(part))
            if facts:
                self._append(table, day, facts, read_at)
                written += len(facts)
        return written

    def _append(self, table: FactTable, day: date, facts: list[ArchivedFact], read_at: datetime) -> None:
        keys = keys_of(self._store, {fact.member_id for fact in facts if fact.member_id is not None})
        rows = database_rows(table, facts, keys, read_at)
        for _ in range(_ATTEMPTS):
            self._archive.refresh(table)
            try:
                self._archive.append(table, rows, {_APP_ID: day.toordinal()})
            except ArchiveConflictError:
                continue
            return
        raise ArchiveUnavailableError(f"{table.value}: other commits came first, {_ATTEMPTS} times")


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(number)
