"""Loads a member's stored history, and saves its corrections. The member is locked before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from domain.door.history import (
    MARGIN,
    MAX_SCANS,
    MAX_UPLOADS,
    ConflictRow,
    MemberHistory,
    StoredFact,
    StoredVisit,
    VisitCorrection,
    VisitValues,
)
from domain.door.machine_use_repository import MachineUseRepository
from domain.door.model import Conflict, Direction, Inferred, OfflineScan, Outcome
from domain.door.repository import DoorRepository
from domain.door.state import LockedMember
from domain.door.tables import open_visits, scan_conflicts, scans, visits
from domain.door.timeline import GateScan, OfflineEntry, RuleEnd, occurred_at
from domain.door.visit_repository import VisitRepository
from domain.gyms.tables import gyms
from domain.identity.tables import users
from domain.memberships.model import HeldMembership


class HistoryRepository:
    """Accepted scans, visits and conflicts of one member."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load(self, member: LockedMember, since: datetime, new: OfflineScan | None = None) -> MemberHistory:
        """Load a member's history.

        Args:
            since: when the scan that changes took place.
            new: the offline scan that is recorded.
        """
        member_id = member.shown.id
        begin, facts = self._facts(member_id, since)
        stored_visits = self._visits(member_id, begin)
        uploads = [stored.fact for stored in facts if isinstance(stored.fact, OfflineEntry)]
        codes, gym_ids = {stored.fact.issued_at for stored in facts}, {upload.gym_id for upload in uploads}
        if new is not None:
            gym_ids.add(new.gym_id)
            if new.scan.reading.issued_at is not None:
                codes.add(new.scan.reading.issued_at)
        ended = [visit.id for visit in stored_visits if visit.values.left_at is not None]
        machines = MachineUseRepository(self._connection)
        use = machines.use_of(member_id)
        return MemberHistory(
            member,
            begin,
            deleted_at=self._deleted_at(member_id) if member.deleted else None,
            facts=facts,
            visits=stored_visits,
            code_visits=self._code_visits(member_id, codes),
            conflicts=self.conflicts([upload.id for upload in uploads]),
            memberships=self._memberships(member_id) if gym_ids else [],
            companies=self._companies(gym_ids),
            uses={use.visit_id: use} if use is not None else {},
            past_uses=machines.uses_ended_by_exit(ended),
        )

    def save(self, correction: VisitCorrection, now: datetime) -> None:
        """Write a correction. Visits close and give up their codes before others open or take them."""
        machines, visit_repository = MachineUseRepository(self._connection), VisitRepository(self._connection)
        machines.end(correction.ended_uses)
        visit_repository.close(correction.closed)
        for visit_id in correction.annulled:
            self._change_visit(visit_id, {"annulled_at": now, "pass_issued_at": None})
        for visit_id in correction.freed_codes:
            self._change_visit(visit_id, {"pass_issued_at": None})
        for visit_id, values in correction.changed:
            self._change_visit(visit_id, asdict(values))
        visit_repository.add(correction.new_visits)
        self._open(correction)
        if correction.resumed_use is not None:
            machines.resume(correction.resumed_use)
        for scan_id, visit in correction.visit_of_scan.items():
            self._connection.execute(update(scans).where(scans.c.id == scan_id).values(visit_id=visit))
        self._list_conflicts(correction.dropped_conflicts, correction.conflicts, now)

    def has_too_many(self, member_id: UUID, known_since: datetime) -> bool:
        """Whether a member has the maximum number of uploads, or of accepted scans of any kind, since a moment."""
        return self._has(MAX_UPLOADS, member_id, known_since, scans.c.offline.is_(True)) or self._has(
            MAX_SCANS, member_id, known_since, scans.c.outcome != Outcome.REFUSED
        )

    def conflicts(self, scan_ids: Sequence[UUID]) -> Mapping[UUID, Conflict]:
        """The listed conflicts of scans."""
        if not scan_ids:
            return {}
        rows = self._connection.execute(
            select(scan_conflicts.c.id, scan_conflicts.c.kind).where(scan_conflicts.c.id.in_(scan_ids))
        )
        return {row.id: Conflict(row.kind) for row in rows}

    def _facts(self, member_id: UUID, since: datetime) -> tuple[datetime, list[StoredFact]]:
        """Load the facts that a change at a moment may affect, and since when they are complete.

        When a scan of a gate is annulled, uploads that were recorded after it may count again, however early they
        were made.
        """
        begin = since - MARGIN
        facts = self._accepted(member_id, begin - MARGIN)
        uploaded = [
            stored.fact.at
            for stored in facts
            if isinstance(stored.fact, OfflineEntry) and stored.fact.known_at >= since
        ]
        earliest = min(uploaded, default=since) - MARGIN
        if earliest < begin:
            return earliest, self._accepted(member_id, earliest - MARGIN)
        return begin, facts

    def _accepted(self, member_id: UUID, known_since: datetime) -> list[StoredFact]:
        """Accepted scans, annulled ones too, that were decided or recorded since a moment."""
        rows = self._connection.execute(
            select(scans).where(
                scans.c.member_id == member_id,
                scans.c.decided_at >= known_since,
                scans.c.outcome != Outcome.REFUSED,
            )
        )
        return [
            StoredFact(_fact(row), row.visit_id, row.annulled_at is not None, row.arrived_at, row.scanned_at)
            for row in rows
        ]

    def _has(self, number: int, member_id: UUID, known_since: datetime, condition: ColumnElement[bool]) -> bool:
        query = select(scans.c.id).where(scans.c.member_id == member_id, scans.c.decided_at >= known_since, condition)
        return len(self._connection.execute(query.limit(number)).all()) == number

    def _visits(self, member_id: UUID, since: datetime) -> list[StoredVisit]:
        """Visits that lasted beyond a moment, or that a rule ended after it; annulled ones too."""
        rows = self._connection.execute(
            select(visits).where(
                visits.c.member_id == member_id,
                or_(
                    visits.c.entered_at >= since,
                    visits.c.left_at >= since,
                    and_(visits.c.left_at.is_(None), visits.c.annulled_at.is_(None)),
                    visits.c.rule_ended_at >= since,
                ),
            )
        )
        return [stored_visit(row) for row in rows]

    def _code_visits(self, member_id: UUID, codes: Collection[datetime]) -> list[tuple[UUID, datetime]]:
        if not codes:
            return []
        rows = self._connection.execute(
            select(visits.c.id, visits.c.pass_issued_at).where(
                visits.c.member_id == member_id, visits.c.pass_issued_at.in_(codes)
            )
        )
        return [(row.id, row.pass_issued_at) for row in rows]

    def _deleted_at(self, member_id: UUID) -> datetime | None:
        return self._connection.execute(select(users.c.deleted_at).where(users.c.id == member_id)).scalar()

    def _memberships(self, member_id: UUID) -> Sequence[HeldMembership]:
        return DoorRepository(self._connection).members([member_id]).memberships.get(member_id, [])

    def _companies(self, gym_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        if not gym_ids:
            return {}
        rows = self._connection.execute(select(gyms.c.id, gyms.c.company_id).where(gyms.c.id.in_(gym_ids)))
        return {row.id: row.company_id for row in rows}

    def _change_visit(self, visit_id: UUID, values: Mapping[str, Any]) -> None:
        self._connection.execute(update(visits).where(visits.c.id == visit_id).values(values))

    def _open(self, correction: VisitCorrection) -> None:
        """Write the member's open visit when it is open again, or began at another time."""
        visit, moved = correction.reopened, correction.moved
        if visit is not None:
            self._connection.execute(
                insert(open_visits).values(
                    visit_id=visit.visit_id,
                    gym_id=visit.gym_id,
                    member_id=correction.member_id,
                    entered_at=visit.entered_at,
                )
            )
        if moved is not None:
            self._connection.execute(
                update(open_visits).where(open_visits.c.visit_id == moved.visit_id).values(entered_at=moved.entered_at)
            )

    def _list_conflicts(self, dropped: Collection[UUID], listed: Sequence[ConflictRow], now: datetime) -> None:
        """Write the list of conflicts. A conflict that the staff have settled stays settled."""
        table = scan_conflicts.c
        for scan_id in dropped:
            self._connection.execute(delete(scan_conflicts).where(table.id == scan_id, table.settled_at.is_(None)))
        for row in listed:
            if row.is_listed:
                change = update(scan_conflicts).where(table.id == row.scan).values(kind=row.kind.value)
                self._connection.execute(change)
            else:
                new = {"id": row.scan, "gym_id": row.gym_id, "kind": row.kind.value, "found_at": now}
                self._connection.execute(insert(scan_conflicts).values(new))


def _fact(row: Row[Any]) -> GateScan | OfflineEntry:
    if row.offline:
        return OfflineEntry(
            row.id,
            (row.scan_id, row.asked_by),
            row.gym_id,
            row.gate_id,
            Direction(row.direction),
            occurred_at(row.scanned_at, row.pass_issued_at, row.arrived_at),
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


def stored_visit(row: Row[Any]) -> StoredVisit:
    """A row of `visits`."""
    inferred = Inferred(row.inferred) if row.inferred is not None else None
    return StoredVisit(
        row.id,
        row.gym_id,
        VisitValues(row.pass_issued_at, row.entered_at, row.entered_scan, row.left_at, row.left_scan, inferred),
        row.annulled_at is not None,
        None if row.rule is None else RuleEnd(row.gym_id, row.rule_ended_at, Inferred(row.rule)),
    )
