"""Take in scans that a device made while the server was out of reach.

They are facts: recorded, never refused, allowed to exceed capacity. One that the server had refused before the device
went on without it, or decided too late for anybody to hear, becomes what the device did. They begin or end a visit only
where no scan that was decided at a gate is later; what does not fit is listed for the staff.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from domain.clock import Clock
from domain.door.events import TOPIC, OfflineScanRecorded
from domain.door.model import (
    Conflict,
    Direction,
    OfflineAnswer,
    OfflineScan,
    Outcome,
    PassStatus,
    Problem,
    Rejected,
    ScanRequest,
)
from domain.door.offline_visits import rebuild
from domain.door.repository import DoorRepository, GymRow, MemberRow
from domain.door.timeline import occurred_at
from domain.ids import new_id
from domain.outbox import store_events
from domain.tables import scan_conflicts, scans


def record_offline(
    connection: Connection, request: OfflineScan, gym: GymRow, members: dict[UUID, MemberRow], clock: Clock
) -> OfflineAnswer | Rejected:
    """Record one scan; its gym and its member are locked already.

    Args:
        members: the members of the batch; a deleted one is nobody who is known.
    """
    scan = request.scan
    repository = DoorRepository(connection)
    asked = (scan.scan_id, scan.asked_by)
    known = repository.known_scans([asked]).get(asked)
    if known is not None and not _was_denied(scan, known):
        return _again(connection, scan, known, repository.occupancy(gym.id), gym.capacity)
    now = clock()
    row = members.get(scan.reading.member_id) if scan.reading.member_id is not None else None
    member = row if row is not None and not row.deleted else None
    row_id = known.id if known is not None else new_id()
    outcome = Outcome.LEFT if scan.direction is Direction.LEAVE else Outcome.ENTERED
    member_id = member.shown.id if member is not None else None
    values = _values(scan, outcome, member_id, now) | {
        "occupancy": repository.occupancy(gym.id),
        "capacity": gym.capacity,
    }
    if known is not None:
        connection.execute(update(scans).where(scans.c.id == row_id).values(reason=None, remedy=None, **values))
    else:
        connection.execute(insert(scans).values(id=row_id, **values))
    conflict = _fit(connection, scan, row_id, member, now)
    occurred = occurred_at(scan.scanned_at, scan.reading.issued_at, scan.arrived_at)
    event = OfflineScanRecorded(new_id(), row_id, gym.id, scan.gate_id, member_id, outcome, conflict, occurred, now)
    store_events(connection, TOPIC, [(gym.id, event)], now)
    return OfflineAnswer(
        scan_id=scan.scan_id,
        gym_id=gym.id,
        occurred_at=occurred,
        conflict=conflict,
        occupancy=repository.occupancy(gym.id),
        capacity=gym.capacity,
        recorded_at=now,
        replayed=False,
    )


def _fit(
    connection: Connection, scan: ScanRequest, row_id: UUID, member: MemberRow | None, now: datetime
) -> Conflict | None:
    """Let the scan make its visit, or list it for the staff."""
    if member is not None:
        found = rebuild(connection, member, now)
        if row_id in found:
            return found[row_id]
        conflict = Conflict.LATER_SCAN
    else:
        forged = scan.reading.status is PassStatus.FORGED
        conflict = Conflict.UNKNOWN_PASS if forged else Conflict.UNKNOWN_MEMBER
    connection.execute(insert(scan_conflicts).values(id=row_id, gym_id=scan.gym_id, kind=conflict.value, found_at=now))
    return conflict


def _was_denied(scan: ScanRequest, row: Row[Any]) -> bool:
    """Whether the gate was told no, or nothing in time: then what the device did without the server is what was."""
    return row.outcome == Outcome.REFUSED and row.annulled_at is None and row.gate_id == scan.gate_id


def _values(scan: ScanRequest, outcome: Outcome, member_id: UUID | None, now: datetime) -> dict[str, Any]:
    return {
        "scan_id": scan.scan_id,
        "asked_by": scan.asked_by,
        "gym_id": scan.gym_id,
        "gate_id": scan.gate_id,
        "direction": scan.direction.value,
        "member_id": member_id,
        "pass_status": scan.reading.status.value,
        "pass_issued_at": scan.reading.issued_at,
        "scanned_at": scan.scanned_at,
        "arrived_at": scan.arrived_at,
        "decided_at": now,
        "outcome": outcome.value,
        "offline": True,
    }


def _again(
    connection: Connection, scan: ScanRequest, row: Row[Any], occupancy: int, capacity: int
) -> OfflineAnswer | Rejected:
    """Uploaded before, or decided at the gate although the answer never came there."""
    said_otherwise = row.direction not in {scan.direction, Direction.AUTO}
    if row.gate_id is not None and (row.gate_id != scan.gate_id or said_otherwise):
        return Rejected(
            Problem.SCAN_ID_REUSED,
            "This scan id was used with another gate or direction; give every scan an id of its own.",
        )
    kind = connection.execute(select(scan_conflicts.c.kind).where(scan_conflicts.c.id == row.id)).scalar()
    return OfflineAnswer(
        scan_id=row.scan_id,
        gym_id=row.gym_id,
        occurred_at=occurred_at(row.scanned_at, row.pass_issued_at, row.arrived_at) if row.offline else row.decided_at,
        conflict=Conflict(kind) if kind else None,
        occupancy=occupancy,
        capacity=capacity,
        recorded_at=row.decided_at,
        replayed=True,
    )
