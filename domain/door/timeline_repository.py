"""Loads and saves what annulments and uploads need: one scan, and the stored history of its member.

The gym and the member are locked before.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, update

from domain.door.annulment import AnnulmentState
from domain.door.events import TOPIC
from domain.door.history import (
    MARGIN,
    MAX_SCANS,
    MAX_UPLOADS,
    AnnulledRow,
    ConflictRow,
    HistoryChanges,
    MemberHistory,
    StoredFact,
    StoredVisit,
    UploadRow,
    VisitCorrection,
    VisitValues,
)
from domain.door.machine_use_repository import MachineUseRepository
from domain.door.model import AnnulRequest, Conflict, Direction, Inferred, OfflineScan, Outcome, Reason, Remedy
from domain.door.offline import UploadState
from domain.door.repository import DoorRepository
from domain.door.state import LockedMember, LockedRows, StoredScan
from domain.door.timeline import GateScan, OfflineEntry, RuleEnd, occurred_at
from domain.door.visit_repository import VisitRepository
from domain.ids import new_id
from domain.memberships.model import HeldMembership
from domain.outbox import store_events
from domain.tables import gyms, open_visits, scan_conflicts, scans, users, visits

_JOINED_WITHIN = timedelta(minutes=10)  # far longer than an answer is repeated


class TimelineRepository:
    """Stored scans, visits and conflicts of one member."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def load_annulment(self, request: AnnulRequest, locked: LockedRows) -> AnnulmentState:
        """Load what an annulment needs."""
        occupancy = VisitRepository(self._connection).occupancy(request.gym_id)
        key = request.scan_id, request.asked_by
        scan = DoorRepository(self._connection).stored_scans([key]).get(key)
        if scan is None or scan.annulled is not None or scan.answer.outcome is Outcome.REFUSED:
            return AnnulmentState(occupancy, scan)
        member = locked.members.get(scan.member_id) if scan.member_id is not None else None
        if member is not None:
            return AnnulmentState(occupancy, scan, history=self._history(member, scan.occurred_at))
        if scan.answer.outcome is not Outcome.ENTERED or scan.visit_id is None:
            return AnnulmentState(occupancy, scan)
        visit = self._connection.execute(select(visits).where(visits.c.id == scan.visit_id)).one()
        return AnnulmentState(occupancy, scan, visit=_visit(visit), next_entry=self._next_entry(scan))

    def load_upload(self, request: OfflineScan, locked: LockedRows) -> UploadState:
        """Load what recording an offline scan needs."""
        scan = request.scan
        made_at = occurred_at(scan.scanned_at, scan.reading.issued_at, scan.arrived_at)
        occupancy = VisitRepository(self._connection).occupancy(scan.gym_id)
        key = scan.scan_id, scan.asked_by
        stored = DoorRepository(self._connection).stored_scans([key]).get(key)
        listed = self._conflicts([stored.id]).get(stored.id) if stored is not None else None
        member = locked.members.get(scan.reading.member_id) if scan.reading.member_id is not None else None
        is_decided = stored is not None and stored.answer.outcome is not Outcome.REFUSED
        if is_decided or member is None or member.deleted:
            return UploadState(occupancy, made_at, stored, listed)
        member_id = member.shown.id
        if self._has_too_many(member_id, made_at - 2 * MARGIN):
            return UploadState(occupancy, made_at, stored, listed, member_id, has_too_many=True)
        is_annulled = stored is not None and stored.annulled is not None
        history = None if is_annulled else self._history(member, made_at, request)
        return UploadState(occupancy, made_at, stored, listed, member_id, history=history)

    def save(self, changes: HistoryChanges, now: datetime) -> None:
        """Write what an annulment or an upload changed."""
        if changes.annulled is not None:
            self._annul_scan(changes.annulled, now)
        if changes.upload is not None:
            self._write_upload(changes.upload, now)
        self._correct(changes.correction, now)
        store_events(self._connection, TOPIC, [(event.gym_id, event) for event in changes.events], now)

    def _history(self, member: LockedMember, since: datetime, new: OfflineScan | None = None) -> MemberHistory:
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
            conflicts=self._conflicts([upload.id for upload in uploads]),
            memberships=self._memberships(member_id) if gym_ids else [],
            companies=self._companies(gym_ids),
            uses={use.visit_id: use} if use is not None else {},
            past_uses=machines.uses_ended_by_exit(ended),
        )

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
        return [StoredFact(_fact(row), row.visit_id, row.annulled_at is not None) for row in rows]

    def _has_too_many(self, member_id: UUID, known_since: datetime) -> bool:
        """Whether a member has the maximum number of uploads, or of accepted scans of any kind, since a moment."""
        return self._has(MAX_UPLOADS, member_id, known_since, scans.c.offline.is_(True)) or self._has(
            MAX_SCANS, member_id, known_since, scans.c.outcome != Outcome.REFUSED
        )

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
        return [_visit(row) for row in rows]

    def _code_visits(self, member_id: UUID, codes: Collection[datetime]) -> list[tuple[UUID, datetime]]:
        if not codes:
            return []
        rows = self._connection.execute(
            select(visits.c.id, visits.c.pass_issued_at).where(
                visits.c.member_id == member_id, visits.c.pass_issued_at.in_(codes)
            )
        )
        return [(row.id, row.pass_issued_at) for row in rows]

    def _conflicts(self, scan_ids: Sequence[UUID]) -> Mapping[UUID, Conflict]:
        """The listed conflicts of scans."""
        if not scan_ids:
            return {}
        rows = self._connection.execute(
            select(scan_conflicts.c.id, scan_conflicts.c.kind).where(scan_conflicts.c.id.in_(scan_ids))
        )
        return {row.id: Conflict(row.kind) for row in rows}

    def _deleted_at(self, member_id: UUID) -> datetime | None:
        return self._connection.execute(select(users.c.deleted_at).where(users.c.id == member_id)).scalar()

    def _memberships(self, member_id: UUID) -> Sequence[HeldMembership]:
        return DoorRepository(self._connection).members([member_id]).memberships.get(member_id, [])

    def _companies(self, gym_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        if not gym_ids:
            return {}
        rows = self._connection.execute(select(gyms.c.id, gyms.c.company_id).where(gyms.c.id.in_(gym_ids)))
        return {row.id: row.company_id for row in rows}

    def _next_entry(self, scan: StoredScan) -> tuple[UUID, datetime] | None:
        """The next scan that joined the visit of an anonymous scan."""
        # It was made at the same gate, so at the same gym; an id begins with its milliseconds (RFC 9562 section 5.7).
        milliseconds = _JOINED_WITHIN // timedelta(milliseconds=1)
        row = self._connection.execute(
            select(scans.c.id, scans.c.decided_at)
            .where(
                scans.c.gym_id == scan.answer.gym_id,
                scans.c.id > scan.id,
                scans.c.id < UUID(int=scan.id.int + (milliseconds << 80)),
                scans.c.visit_id == scan.visit_id,
                scans.c.outcome == Outcome.ENTERED,
                scans.c.annulled_at.is_(None),
            )
            .order_by(scans.c.decided_at, scans.c.id)
            .limit(1)
        ).one_or_none()
        return None if row is None else (row.id, row.decided_at)

    def _annul_scan(self, row: AnnulledRow, now: datetime) -> None:
        request = row.request
        annulment = {"annulled_at": now, "annulled_by": request.by, "annul_reason": request.reason}
        if row.scan is not None:
            self._connection.execute(update(scans).where(scans.c.id == row.scan).values(annulment))
            return
        self._connection.execute(
            insert(scans).values(
                id=new_id(),
                scan_id=request.scan_id,
                asked_by=request.asked_by,
                gym_id=request.gym_id,
                arrived_at=request.arrived_at,
                decided_at=now,
                outcome=Outcome.REFUSED,
                reason=Reason.TOO_LATE,
                remedy=Remedy.SCAN_AGAIN,
                occupancy=row.occupancy,
                capacity=row.capacity,
                **annulment,
            )
        )

    def _write_upload(self, row: UploadRow, now: datetime) -> None:
        scan = row.scan
        values = {
            "scan_id": scan.scan_id,
            "asked_by": scan.asked_by,
            "gym_id": scan.gym_id,
            "gate_id": scan.gate_id,
            "direction": scan.direction.value,
            "member_id": row.member_id,
            "pass_status": scan.reading.status.value,
            "pass_issued_at": scan.reading.issued_at,
            "scanned_at": scan.scanned_at,
            "arrived_at": scan.arrived_at,
            "decided_at": now,
            "outcome": row.outcome.value,
            "reason": None,
            "remedy": None,
            "occupancy": row.occupancy,
            "capacity": row.capacity,
            "offline": True,
        }
        if row.is_stored:
            self._connection.execute(update(scans).where(scans.c.id == row.id).values(values))
        else:
            self._connection.execute(insert(scans).values(id=row.id, **values))

    def _correct(self, correction: VisitCorrection, now: datetime) -> None:
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


def _visit(row: Row[Any]) -> StoredVisit:
    inferred = Inferred(row.inferred) if row.inferred is not None else None
    return StoredVisit(
        row.id,
        row.gym_id,
        VisitValues(row.pass_issued_at, row.entered_at, row.entered_scan, row.left_at, row.left_scan, inferred),
        row.annulled_at is not None,
        None if row.rule is None else RuleEnd(row.gym_id, row.rule_ended_at, Inferred(row.rule)),
    )
