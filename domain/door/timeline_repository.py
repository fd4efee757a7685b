"""Loads and saves annulments and offline scans, which change the history of a member.

The gym and the member are locked before.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from domain.door.annulment import AnnulmentState
from domain.door.events import TOPIC
from domain.door.history import MARGIN, AnnulledRow, HistoryChanges, StoredVisit, UploadRow
from domain.door.history_repository import HistoryRepository, stored_visit
from domain.door.model import AnnulRequest, OfflineScan, Outcome, Reason, Remedy
from domain.door.offline import UploadState
from domain.door.repository import DoorRepository
from domain.door.state import LockedRows, ScanKey, StoredScan
from domain.door.tables import scans, visits
from domain.door.timeline import occurred_at
from domain.door.visit_repository import VisitRepository
from domain.ids import new_id
from domain.outbox import store_events

_JOINED_WITHIN = timedelta(minutes=10)  # far longer than an answer is repeated


class TimelineRepository:
    """The scan that is annulled or uploaded, with what its effect on visits depends on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._histories = HistoryRepository(connection)

    def load_annulment(self, request: AnnulRequest, locked: LockedRows) -> AnnulmentState:
        """Load what an annulment needs."""
        occupancy = VisitRepository(self._connection).occupancy(request.gym_id)
        scan = self._stored_scan((request.scan_id, request.asked_by))
        if scan is None or scan.annulled is not None or scan.answer.outcome is Outcome.REFUSED:
            return AnnulmentState(occupancy, scan)
        member = locked.members.get(scan.member_id) if scan.member_id is not None else None
        if member is not None:
            return AnnulmentState(occupancy, scan, history=self._histories.load(member, scan.occurred_at))
        if scan.answer.outcome is not Outcome.ENTERED or scan.visit_id is None:
            return AnnulmentState(occupancy, scan)
        visit = self._visit(scan.visit_id)
        return AnnulmentState(occupancy, scan, visit=visit, next_entry=self._next_entry(scan))

    def load_upload(self, request: OfflineScan, locked: LockedRows) -> UploadState:
        """Load what recording an offline scan needs."""
        scan = request.scan
        made_at = occurred_at(scan.scanned_at, scan.reading.issued_at, scan.arrived_at)
        occupancy = VisitRepository(self._connection).occupancy(scan.gym_id)
        stored = self._stored_scan((scan.scan_id, scan.asked_by))
        listed = self._histories.conflicts([stored.id]).get(stored.id) if stored is not None else None
        member = locked.members.get(scan.reading.member_id) if scan.reading.member_id is not None else None
        is_decided = stored is not None and stored.answer.outcome is not Outcome.REFUSED
        if is_decided or member is None or member.deleted:
            return UploadState(occupancy, made_at, stored, listed)
        member_id = member.shown.id
        if self._histories.has_too_many(member_id, made_at - 2 * MARGIN):
            return UploadState(occupancy, made_at, stored, listed, member_id, has_too_many=True)
        is_annulled = stored is not None and stored.annulled is not None
        history = None if is_annulled else self._histories.load(member, made_at, request)
        return UploadState(occupancy, made_at, stored, listed, member_id, history=history)

    def save(self, changes: HistoryChanges, now: datetime) -> None:
        """Write what an annulment or an upload changed."""
        if changes.annulled is not None:
            self._annul_scan(changes.annulled, now)
        if changes.upload is not None:
            self._write_upload(changes.upload, now)
        self._histories.save(changes.correction, now)
        store_events(self._connection, TOPIC, [(event.gym_id, event) for event in changes.events], now)

    def _stored_scan(self, key: ScanKey) -> StoredScan | None:
        return DoorRepository(self._connection).stored_scans([key]).get(key)

    def _visit(self, visit_id: UUID) -> StoredVisit:
        return stored_visit(self._connection.execute(select(visits).where(visits.c.id == visit_id)).one())

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
