"""Scans that were made without the server, and the visits that they make, in the database.

The member is locked before anything here is read.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, insert, or_, select, update

from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.door.timeline import End, OfflineEntry, OfflineVisit, occurred_at
from domain.ids import new_id
from domain.tables import gyms, open_visits, scan_conflicts, scans, visits

_NEWEST = 20  # visits; those of uploads may have been written later than they began
_BY_RULE = [Inferred.HEAD_COUNT.value, Inferred.FORGOTTEN.value]


@dataclass(frozen=True, slots=True)
class KeptVisit:
    """A visit as it is kept now."""

    id: UUID
    gym_id: UUID
    entered_scan: UUID | None
    entered_at: datetime
    left_at: datetime | None
    left_scan: UUID | None
    inferred: str | None


class OfflineRepository:
    """Questions and changes about one member within one unit of work."""

    def __init__(self, connection: Connection, member_id: UUID) -> None:
        self._connection = connection
        self._member_id = member_id

    def last_decided(self) -> datetime | None:
        """When a scan of theirs was last accepted while somebody waited at the gate."""
        return self._connection.execute(
            select(scans.c.decided_at)
            .where(
                scans.c.member_id == self._member_id,
                scans.c.offline.is_(None),
                scans.c.outcome != Outcome.REFUSED,
                scans.c.annulled_at.is_(None),
            )
            .order_by(scans.c.decided_at.desc())
            .limit(1)
        ).scalar()

    def entries(self, after: datetime | None) -> tuple[list[OfflineEntry], set[UUID]]:
        """Their scans without the server after a moment, and the rows of all of them, annulled ones too."""
        query = select(scans).where(scans.c.member_id == self._member_id, scans.c.offline.is_not(None))
        if after is not None:
            query = query.where(scans.c.decided_at > after)  # recorded after it was made
        found = [(_entry(row), row.annulled_at is not None) for row in self._connection.execute(query)]
        later = [(entry, annulled) for entry, annulled in found if after is None or entry.occurred_at > after]
        return [entry for entry, annulled in later if not annulled], {entry.id for entry, _ in later}

    def visits_begun_by(self, rows: Collection[UUID]) -> list[KeptVisit]:
        """The visits that these scans began, as they are kept now."""
        return self._visits(visits.c.entered_scan.in_(rows))

    def visit_before(self, rows: Collection[UUID]) -> KeptVisit | None:
        """The latest visit that other scans began, if it is open but for what these scans or a rule have ended."""
        began_otherwise = or_(visits.c.entered_scan.is_(None), visits.c.entered_scan.not_in(rows))
        found = self._visits(began_otherwise, newest=_NEWEST)
        last = max(found, key=lambda visit: (visit.entered_at, visit.id), default=None)
        if last is None or last.left_at is None or last.left_scan in rows:
            return last
        return last if last.left_scan is None and last.inferred in _BY_RULE else None

    def used_codes(self, issued: Collection[datetime], besides: Collection[UUID]) -> set[datetime]:
        """Those of the codes that have begun a visit of other scans."""
        rows = self._connection.execute(
            select(visits.c.pass_issued_at).where(
                visits.c.member_id == self._member_id,
                visits.c.pass_issued_at.in_(issued),
                or_(visits.c.entered_scan.is_(None), visits.c.entered_scan.not_in(besides)),
            )
        )
        return {row.pass_issued_at for row in rows}

    def companies(self, gym_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """Whose the gyms are."""
        rows = self._connection.execute(select(gyms.c.id, gyms.c.company_id).where(gyms.c.id.in_(gym_ids)))
        return {row.id: row.company_id for row in rows}

    def close(self, visit_ids: Collection[UUID]) -> None:
        """Take visits out of those that are open."""
        for visit_id in visit_ids:
            self._connection.execute(delete(open_visits).where(open_visits.c.visit_id == visit_id))

    def annul(self, visit_id: UUID, now: datetime) -> None:
        """A visit that was none after all."""
        self._connection.execute(
            update(visits).where(visits.c.id == visit_id).values(annulled_at=now, pass_issued_at=None)
        )

    def set_end(self, visit_id: UUID, end: End | None) -> None:
        """Let a visit end so, or go on."""
        left_at, left_scan, inferred = end or (None, None, None)
        self._connection.execute(
            update(visits)
            .where(visits.c.id == visit_id)
            .values(left_at=left_at, left_scan=left_scan, inferred=inferred and inferred.value)
        )

    def begin(self, visit: OfflineVisit) -> UUID:
        """Write a visit; its end as well."""
        visit_id = new_id()
        entry = visit.entry
        self._connection.execute(
            insert(visits).values(
                id=visit_id,
                gym_id=entry.gym_id,
                member_id=self._member_id,
                gate_id=entry.gate_id,
                pass_issued_at=entry.issued_at,
                entered_at=entry.occurred_at,
                entered_scan=entry.id,
            )
        )
        if visit.end is not None:
            self.set_end(visit_id, visit.end)
        return visit_id

    def open(self, visit_id: UUID, gym_id: UUID, entered_at: datetime) -> None:
        """Count a visit as open."""
        is_open = self._connection.execute(select(exists().where(open_visits.c.visit_id == visit_id))).scalar_one()
        if not is_open:
            self._connection.execute(
                insert(open_visits).values(
                    visit_id=visit_id, gym_id=gym_id, member_id=self._member_id, entered_at=entered_at
                )
            )

    def keep_conflicts(
        self, rows: Collection[UUID], found: Mapping[UUID, tuple[UUID, Conflict]], now: datetime
    ) -> None:
        """Let the listed conflicts of scans be these; what staff have settled stays settled.

        Args:
            rows: the scans that were looked at.
            found: what does not fit, by the scan's row, each with its gym.
        """
        listed = {
            row.id: row.kind
            for row in self._connection.execute(select(scan_conflicts).where(scan_conflicts.c.id.in_(rows)))
        }
        for id_ in listed.keys() - found.keys():
            self._connection.execute(
                delete(scan_conflicts).where(scan_conflicts.c.id == id_, scan_conflicts.c.settled_at.is_(None))
            )
        for id_, (gym_id, conflict) in found.items():
            if id_ not in listed:
                self._connection.execute(
                    insert(scan_conflicts).values(id=id_, gym_id=gym_id, kind=conflict.value, found_at=now)
                )
            elif listed[id_] != conflict.value:
                self._connection.execute(
                    update(scan_conflicts).where(scan_conflicts.c.id == id_).values(kind=conflict.value)
                )

    def _visits(self, condition: ColumnElement[bool], newest: int | None = None) -> list[KeptVisit]:
        rows = self._connection.execute(
            select(
                visits.c.id,
                visits.c.gym_id,
                visits.c.entered_scan,
                visits.c.entered_at,
                visits.c.left_at,
                visits.c.left_scan,
                visits.c.inferred,
            )
            .where(visits.c.member_id == self._member_id, visits.c.annulled_at.is_(None), condition)
            .order_by(visits.c.id.desc())
            .limit(newest)
        )
        return [KeptVisit(*row) for row in rows]


def _entry(row: Row[Any]) -> OfflineEntry:
    return OfflineEntry(
        row.id,
        (row.scan_id, row.asked_by),
        row.gym_id,
        row.gate_id,
        Direction(row.direction),
        occurred_at(row.scanned_at, row.pass_issued_at, row.arrived_at),
        row.pass_issued_at,
    )
