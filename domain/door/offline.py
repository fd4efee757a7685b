"""Take in scans that a device made while the server was out of reach.

They are facts: recorded, never refused, allowed to exceed capacity. One that the server had refused before the device
went on without it, or decided too late for anybody to hear, becomes what the device did. They begin or end a visit only
where no scan that was decided at a gate is later; what does not fit is listed for the staff. None is recorded without
a visit or a conflict. Of one member no more than `MOST_RECENT` count at a time; more are listed, and make no visit.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, insert, select, update

from domain.clock import Clock
from domain.door.corrections import READ_BEFORE, correct_visits
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
from domain.door.repository import DoorRepository, GymRow, MemberRow
from domain.door.tables import scan_conflicts, scans
from domain.door.timeline import occurred_at
from domain.door.timeline_repository import TimelineRepository, happened_at, list_conflict
from domain.ids import new_id
from domain.outbox import store_events

MOST_RECENT = 200
MOST_SINCE = 2000  # accepted scans of any kind that a correction replays


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
    now = clock()
    if known is not None and _is_another(scan, known):
        return Rejected(
            Problem.SCAN_ID_REUSED,
            "This scan id was used with another gate, direction or member. Give every scan an id of its own.",
        )
    if known is not None and known.outcome != Outcome.REFUSED:
        return _again(connection, scan, known, gym, now)
    occurred = occurred_at(scan.scanned_at, scan.reading.issued_at, scan.arrived_at)
    row = members.get(scan.reading.member_id) if scan.reading.member_id is not None else None
    member = row if row is not None and not row.deleted else None
    # A device that uploads one code in a loop, or a phone left on a reader, must not make a replay take seconds.
    too_many = member is not None and TimelineRepository(connection, member.shown.id).has_too_many(
        occurred - READ_BEFORE, MOST_RECENT, MOST_SINCE
    )
    if too_many:
        member = None
    row_id = known.id if known is not None else new_id()
    outcome = _outcome(scan)
    member_id = member.shown.id if member is not None else None
    values = _values(scan, outcome, member_id, now) | {
        "occupancy": repository.occupancy(gym.id),
        "capacity": gym.capacity,
    }
    if known is not None:
        connection.execute(update(scans).where(scans.c.id == row_id).values(reason=None, remedy=None, **values))
    else:
        connection.execute(insert(scans).values(id=row_id, **values))
    annulled = known is not None and known.annulled_at is not None
    if member is not None and not annulled:
        conflict = correct_visits(connection, member, occurred, now, recorded=row_id)
    else:
        conflict = _misfit(scan, too_many=too_many, annulled=annulled)
        list_conflict(connection, row_id, gym.id, conflict, now)
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


def _misfit(scan: ScanRequest, *, too_many: bool, annulled: bool) -> Conflict:
    """Why a scan makes no visit, whatever else is known of its member."""
    if too_many:
        return Conflict.TOO_MANY
    if annulled:
        return Conflict.ANNULLED
    return Conflict.UNKNOWN_PASS if scan.reading.status is PassStatus.FORGED else Conflict.UNKNOWN_MEMBER


def _is_another(scan: ScanRequest, row: Row[Any]) -> bool:
    """Whether a known scan id names another scan than this one.

    What a gate refused is compared by its gate alone: the device went on without the server, as it then saw fit.
    """
    if row.gate_id is None:  # annulled before it was seen
        return bool(row.gym_id != scan.gym_id)
    if row.gate_id != scan.gate_id:
        return True
    if row.outcome == Outcome.REFUSED:
        return False
    is_forged = scan.reading.status is PassStatus.FORGED
    another_pass = is_forged != (row.pass_status == PassStatus.FORGED)
    another_member = row.member_id is not None and row.member_id != scan.reading.member_id
    return another_pass or another_member or row.direction not in {scan.direction, Direction.AUTO}


def _outcome(scan: ScanRequest) -> Outcome:
    return Outcome.LEFT if scan.direction is Direction.LEAVE else Outcome.ENTERED


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


def _again(connection: Connection, scan: ScanRequest, row: Row[Any], gym: GymRow, now: datetime) -> OfflineAnswer:
    """Uploaded before, or decided at the gate although the answer never came there."""
    conflict = None
    if row.annulled_at is not None:
        conflict = Conflict.ANNULLED
    elif row.outcome != _outcome(scan):
        conflict = Conflict.DECIDED_OTHERWISE
    if conflict is not None:
        list_conflict(connection, row.id, row.gym_id, conflict, now)
    else:
        kind = connection.execute(select(scan_conflicts.c.kind).where(scan_conflicts.c.id == row.id)).scalar()
        conflict = Conflict(kind) if kind else None
    return OfflineAnswer(
        scan_id=row.scan_id,
        gym_id=row.gym_id,
        occurred_at=happened_at(row),
        conflict=conflict,
        occupancy=DoorRepository(connection).occupancy(gym.id),
        capacity=gym.capacity,
        recorded_at=row.decided_at,
        replayed=True,
    )
