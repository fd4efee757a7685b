"""Reads facts from the door's own tables: for the backfill and the verification of the archive.

Rows are found by their ids, which begin with the time of creation (RFC 9562 section 5.7). No index has the time of the
fact. A row may be created days after the fact: an upload, a visit that is computed again.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, and_, func, or_, select

from domain.attendance.facts import (
    ArchivedFact,
    FactTable,
    HeadCountFact,
    MachineUseFact,
    ScanFact,
    VisitFact,
)
from domain.door.tables import head_counts, machine_uses, scans, visits
from domain.door.timeline import occurred_at
from domain.ids import first_id_of

# An id is made by the clock of another server than the time of its fact.
_CLOCKS_DIFFER = timedelta(hours=1)
# Rows that are created even later are found by the key that the archive has, or on the day of their creation.
_LATE = timedelta(days=3)
_PART = 2000


class _Source(NamedTuple):
    table: Table
    moment: Column[Any]
    fact: Callable[[Row[Any]], ArchivedFact]


class FactRepository:
    """The door's tables as facts. Facts that are annulled are left out, unless they are asked for by id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_day(self, table: FactTable, day: date) -> Iterator[Sequence[ArchivedFact]]:
        """The facts of a day, in parts; without those that were created more than three days later."""
        start = datetime.combine(day, time(), UTC)
        end = start + timedelta(days=1)
        source = _SOURCES[table]
        in_day = and_(source.moment >= start, source.moment < end)
        if table is FactTable.SCANS:
            # An offline scan is made before it is decided; its day is not a column.
            is_offline = scans.c.offline.is_(True)
            in_day = or_(and_(scans.c.offline.is_not(True), in_day), and_(is_offline, source.moment >= start))
        for part in self._created(source, start - _CLOCKS_DIFFER, end + _CLOCKS_DIFFER + _LATE, in_day):
            facts = [fact for fact in map(source.fact, part) if fact.day == day]
            if facts:
                yield facts

    def created(self, table: FactTable, start: datetime, end: datetime) -> Iterator[Sequence[ArchivedFact]]:
        """The facts whose rows were created in a time, in parts and in the order of their ids."""
        source = _SOURCES[table]
        for part in self._created(source, start, end):
            yield [source.fact(row) for row in part]

    def count_created(self, table: FactTable, start: datetime, end: datetime) -> int:
        """The number of rows that were created in a time, annulled ones too."""
        ids = _SOURCES[table].table.c.id
        query = select(func.count()).where(ids >= first_id_of(start), ids < first_id_of(end))
        return self._connection.execute(query).scalar_one()

    def late_days(self, table: FactTable, created_on: date) -> set[date]:
        """The earlier days of facts whose rows were created on a day."""
        start = datetime.combine(created_on, time(), UTC)
        source = _SOURCES[table]
        is_late = source.moment < start
        if table is FactTable.SCANS:
            is_late = or_(is_late, scans.c.offline.is_(True))
        parts = self._created(source, start, start + timedelta(days=1), is_late)
        return {fact.day for part in parts for fact in map(source.fact, part)} - {created_on}

    def by_ids(self, table: FactTable, ids: Collection[UUID]) -> list[ArchivedFact]:
        """The facts with these ids, annulled ones too."""
        source, found = _SOURCES[table], sorted(ids)
        facts: list[ArchivedFact] = []
        for start in range(0, len(found), _PART):
            query = select(source.table).where(source.table.c.id.in_(found[start : start + _PART]))
            facts += map(source.fact, self._connection.execute(query))
        return facts

    def first_created_at(self) -> datetime | None:
        """When the oldest row of all tables was created; None: there is none."""
        oldest = [self._connection.execute(select(func.min(one.table.c.id))).scalar() for one in _SOURCES.values()]
        times = [datetime.fromtimestamp((id_.int >> 80) / 1000, UTC) for id_ in oldest if id_ is not None]
        return min(times, default=None)

    def _created(
        self, source: _Source, start: datetime, end: datetime, condition: ColumnElement[bool] | None = None
    ) -> Iterator[Sequence[Row[Any]]]:
        ids = source.table.c.id
        query: Select[Any] = select(source.table).where(ids < first_id_of(end)).order_by(ids).limit(_PART)
        if condition is not None:
            query = query.where(condition)
        if "annulled_at" in source.table.c:
            query = query.where(source.table.c.annulled_at.is_(None))
        position = ids >= first_id_of(start)
        while rows := self._connection.execute(query.where(position)).all():
            yield rows
            position = ids > rows[-1].id


def _visit(row: Row[Any]) -> VisitFact:
    return VisitFact(
        row.id, row.gym_id, row.member_id, row.entered_at, row.left_at, row.inferred, row.annulled_at is not None
    )


def _scan(row: Row[Any]) -> ScanFact:
    is_offline = bool(row.offline)
    return ScanFact(
        row.id,
        row.gym_id,
        row.gate_id,
        row.member_id,
        row.outcome,
        row.reason,
        is_offline,
        occurred_at(row.scanned_at, row.pass_issued_at, row.arrived_at) if is_offline else row.scanned_at,
        row.arrived_at,
        row.decided_at,
        row.visit_id,
        row.repeats_id is not None,
        row.annulled_at is not None,
    )


def _use(row: Row[Any]) -> MachineUseFact:
    return MachineUseFact(row.id, row.gym_id, row.machine_id, row.member_id, row.started_at, row.ended_at, row.inferred)


def _count(row: Row[Any]) -> HeadCountFact:
    return HeadCountFact(row.id, row.gym_id, row.inside_before, row.counted, row.counted_at)


_SOURCES = {
    FactTable.VISITS: _Source(visits, visits.c.entered_at, _visit),
    FactTable.SCANS: _Source(scans, scans.c.decided_at, _scan),
    FactTable.MACHINE_USES: _Source(machine_uses, machine_uses.c.started_at, _use),
    FactTable.HEAD_COUNTS: _Source(head_counts, head_counts.c.counted_at, _count),
}
