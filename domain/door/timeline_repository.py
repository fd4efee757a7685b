"""The facts of one member's timeline, and the visits that they make, in the database. The member is locked before."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from domain.door.model import Conflict, Direction, Inferred, Outcome
from domain.door.tables import open_visits, scan_conflicts, scans, visits
from domain.door.timeline import GateScan, OfflineEntry, RuleEnd, occurred_at
from domain.gyms.tables import gyms
from domain.identity.tables import users


@dataclass(frozen=True, slots=True)
class TimelineScan:
    """A scan that counts as a fact unless it was annulled, and the visit that it is kept with."""

    fact: GateScan | OfflineEntry
    visit_id: UUID | None
    annulled: bool


@dataclass(frozen=True, slots=True)
class KeptVisit:
    """A visit as it is kept now."""

    id: UUID
    gym_id: UUID
    pass_issued_at: datetime | None
    entered_at: datetime
    entered_scan: UUID | None
    left_at: datetime | None
    left_scan: UUID | None
    inferred: str | None
    annulled: bool
    rule: RuleEnd | None

    @property
    def values(self) -> "VisitValues":
        """What the facts have made of it so far."""
        inferred = Inferred(self.inferred) if self.inferred is not None else None
        return VisitValues(
            self.pass_issued_at, self.entered_at, self.entered_scan, self.left_at, self.left_scan, inferred
        )


@dataclass(frozen=True, slots=True)
class VisitValues:
    """What the facts make of a visit."""

    pass_issued_at: datetime | None
    entered_at: datetime
    entered_scan: UUID | None
    left_at: datetime | None
    left_scan: UUID | None
    inferred: Inferred | None


class TimelineRepository:
    """Questions and changes about one member within one unit of work."""

    def __init__(self, connection: Connection, member_id: UUID) -> None:
        self._connection = connection
        self._member_id = member_id

    def scans(self, known_since: datetime) -> list[TimelineScan]:
        """Accepted scans, annulled ones too, that were decided or recorded since a moment."""
        rows = self._connection.execute(
            select(scans).where(
                scans.c.member_id == self._member_id,
                scans.c.decided_at >= known_since,
                scans.c.outcome != Outcome.REFUSED,
            )
        )
        return [TimelineScan(_fact(row), row.visit_id, row.annulled_at is not None) for row in rows]

    def has_too_many(self, known_since: datetime, uploads: int, scans_in_all: int) -> bool:
        """Whether so many scans without the server, or accepted scans of any kind, were decided since a moment."""
        return self._has(known_since, uploads, scans.c.offline.is_(True)) or self._has(
            known_since, scans_in_all, scans.c.outcome != Outcome.REFUSED
        )

    def _has(self, known_since: datetime, count: int, which: ColumnElement[bool]) -> bool:
        query = select(scans.c.id).where(scans.c.member_id == self._member_id, scans.c.decided_at >= known_since, which)
        return len(self._connection.execute(query.limit(count)).all()) == count

    def visits(self, since: datetime) -> list[KeptVisit]:
        """Visits that lasted beyond a moment, or that a rule ended after it; annulled ones too."""
        rows = self._connection.execute(
            select(visits).where(
                visits.c.member_id == self._member_id,
                or_(
                    visits.c.entered_at >= since,
                    visits.c.left_at >= since,
                    and_(visits.c.left_at.is_(None), visits.c.annulled_at.is_(None)),
                    visits.c.rule_ended_at >= since,
                ),
            )
        )
        return [_visit(row) for row in rows]

    def used_codes(self, issued: Collection[datetime], besides: Collection[UUID]) -> set[datetime]:
        """Those of the codes that belong to other visits than these."""
        if not issued:
            return set()
        rows = self._connection.execute(
            select(visits.c.id, visits.c.pass_issued_at).where(
                visits.c.member_id == self._member_id, visits.c.pass_issued_at.in_(issued)
            )
        )
        return {row.pass_issued_at for row in rows if row.id not in besides}

    def deleted_at(self) -> datetime | None:
        """When the account was marked as deleted."""
        return self._connection.execute(select(users.c.deleted_at).where(users.c.id == self._member_id)).scalar()

    def companies(self, gym_ids: Collection[UUID]) -> dict[UUID, UUID]:
        """Whose the gyms are."""
        rows = self._connection.execute(select(gyms.c.id, gyms.c.company_id).where(gyms.c.id.in_(gym_ids)))
        return {row.id: row.company_id for row in rows}

    def close(self, visit_id: UUID) -> None:
        """Take a visit out of those that are open."""
        self._connection.execute(delete(open_visits).where(open_visits.c.visit_id == visit_id))

    def annul(self, visit_id: UUID, now: datetime) -> None:
        """A visit that was none after all."""
        self._connection.execute(
            update(visits).where(visits.c.id == visit_id).values(annulled_at=now, pass_issued_at=None)
        )

    def free_code(self, visit_id: UUID) -> None:
        """A visit gives up its code, before another one takes it."""
        self._connection.execute(update(visits).where(visits.c.id == visit_id).values(pass_issued_at=None))

    def change(self, visit_id: UUID, values: VisitValues) -> None:
        """Let a visit be so."""
        self._connection.execute(update(visits).where(visits.c.id == visit_id).values(_columns(values)))

    def begin(self, visit_id: UUID, gym_id: UUID, gate_id: UUID, values: VisitValues) -> None:
        """Write a visit."""
        self._connection.execute(
            insert(visits).values(
                id=visit_id, gym_id=gym_id, member_id=self._member_id, gate_id=gate_id, **_columns(values)
            )
        )

    def open(self, visit_id: UUID, gym_id: UUID, entered_at: datetime) -> None:
        """Count a visit as open."""
        self._connection.execute(
            insert(open_visits).values(
                visit_id=visit_id, gym_id=gym_id, member_id=self._member_id, entered_at=entered_at
            )
        )

    def set_entered_at(self, visit_id: UUID, entered_at: datetime) -> None:
        """An open visit began at another moment."""
        self._connection.execute(
            update(open_visits).where(open_visits.c.visit_id == visit_id).values(entered_at=entered_at)
        )

    def set_visit(self, scan_id: UUID, visit_id: UUID | None) -> None:
        """The visit that a scan began, joined or ended."""
        self._connection.execute(update(scans).where(scans.c.id == scan_id).values(visit_id=visit_id))

    def listed_conflicts(self, rows: Collection[UUID]) -> dict[UUID, Conflict]:
        """The listed conflicts of scans."""
        if not rows:
            return {}
        found = self._connection.execute(
            select(scan_conflicts.c.id, scan_conflicts.c.kind).where(scan_conflicts.c.id.in_(rows))
        )
        return {row.id: Conflict(row.kind) for row in found}

    def keep_conflicts(
        self, listed: Mapping[UUID, Conflict], found: Mapping[UUID, tuple[UUID, Conflict]], now: datetime
    ) -> None:
        """Let the listed conflicts of scans be these; what staff have settled stays settled.

        Args:
            listed: those that are listed.
            found: what does not fit, by the scan's row, each with its gym.
        """
        for id_ in listed.keys() - found.keys():
            drop_conflict(self._connection, id_)
        for id_, (gym_id, conflict) in found.items():
            if listed.get(id_) is not conflict:
                list_conflict(self._connection, id_, gym_id, conflict, now)


def list_conflict(connection: Connection, row_id: UUID, gym_id: UUID, conflict: Conflict, now: datetime) -> None:
    """List what does not fit of a scan; what staff have settled stays settled."""
    listed = connection.execute(
        update(scan_conflicts).where(scan_conflicts.c.id == row_id).values(kind=conflict.value)
    ).rowcount
    known = listed or connection.execute(select(scan_conflicts.c.id).where(scan_conflicts.c.id == row_id)).scalar()
    if not known:  # MySQL does not count a row that is the same afterwards
        connection.execute(insert(scan_conflicts).values(id=row_id, gym_id=gym_id, kind=conflict.value, found_at=now))


def drop_conflict(connection: Connection, row_id: UUID) -> None:
    """List nothing of a scan any more, unless staff have settled it."""
    connection.execute(
        delete(scan_conflicts).where(scan_conflicts.c.id == row_id, scan_conflicts.c.settled_at.is_(None))
    )


def happened_at(row: Row[Any]) -> datetime:
    """When an accepted scan took place: decided at the gate, or made without the server."""
    moment: datetime = row.decided_at
    return occurred_at(row.scanned_at, row.pass_issued_at, row.arrived_at) if row.offline else moment


def _fact(row: Row[Any]) -> GateScan | OfflineEntry:
    if row.offline:
        return OfflineEntry(
            row.id,
            (row.scan_id, row.asked_by),
            row.gym_id,
            row.gate_id,
            Direction(row.direction),
            happened_at(row),
            row.pass_issued_at,
            row.decided_at,
        )
    return GateScan(
        row.id,
        row.repeats_id or row.id,
        row.gym_id,
        row.gate_id,
        Outcome(row.outcome),
        row.decided_at,
        row.pass_issued_at,
    )


def _visit(row: Row[Any]) -> KeptVisit:
    return KeptVisit(
        row.id,
        row.gym_id,
        row.pass_issued_at,
        row.entered_at,
        row.entered_scan,
        row.left_at,
        row.left_scan,
        row.inferred,
        row.annulled_at is not None,
        None if row.rule is None else RuleEnd(row.gym_id, row.rule_ended_at, Inferred(row.rule)),
    )


def _columns(values: VisitValues) -> dict[str, Any]:
    return {
        "pass_issued_at": values.pass_issued_at,
        "entered_at": values.entered_at,
        "entered_scan": values.entered_scan,
        "left_at": values.left_at,
        "left_scan": values.left_scan,
        "inferred": values.inferred and values.inferred.value,
    }
