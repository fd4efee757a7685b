"""Rules for offline scans, which a device made without the server and uploads later. Pure.

They are facts: recorded, never refused, allowed to exceed capacity. A scan that the gate had refused before, or decided
too late, becomes what the device did. An offline scan begins or ends a visit only if no gate had decided a later scan.
What contradicts other records is listed for the staff. Every offline scan has a visit or a conflict.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.door.corrections import conflict_of, correct_visits, occupancy_change
from domain.door.events import OfflineScanRecorded
from domain.door.history import ConflictRow, HistoryChanges, MemberHistory, UploadRow, VisitCorrection
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
from domain.door.state import LockedGym, StoredScan
from domain.door.timeline import OfflineEntry
from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class UploadState:
    """What recording an offline scan needs.

    Args:
        stored: the scan with this id, if it was decided, recorded or annulled before.
        listed: the conflict that is listed for it.
        made_at: when it was made.
        member_id: its member; None: unknown, or the account is deleted.
        has_too_many: the member has so many scans that this one makes no visit.
        history: of its member; None when the scan makes no visit.
    """

    occupancy: int
    made_at: datetime
    stored: StoredScan | None
    listed: Conflict | None = None
    member_id: UUID | None = None
    has_too_many: bool = False
    history: MemberHistory | None = None


def decide_upload(
    request: OfflineScan, gym: LockedGym, state: UploadState, now: datetime
) -> tuple[OfflineAnswer | Rejected, HistoryChanges]:
    """Record an offline scan and correct its member's visits."""
    scan, stored = request.scan, state.stored
    if stored is not None and _is_another(scan, stored):
        detail = "This scan id was used with another gate, direction or member. Use a new id for every scan."
        return Rejected(Problem.SCAN_ID_REUSED, detail), HistoryChanges()
    if stored is not None and stored.answer.outcome is not Outcome.REFUSED:
        return _known_upload(scan, stored, gym, state)
    row_id = stored.id if stored is not None else new_id()
    outcome, occupancy = _outcome(scan), state.occupancy
    member_id = None if state.has_too_many else state.member_id
    if state.history is not None:
        fact = _fact(row_id, scan, state.made_at, now)
        correction = correct_visits(state.history, now, recorded=fact)
        occupancy += occupancy_change(state.history, correction, gym.id)
        conflict = conflict_of(row_id, correction)
    else:
        conflict = _conflict_without_visit(scan, state)
        listed = ConflictRow(row_id, gym.id, conflict, is_listed=state.listed is not None)
        correction = VisitCorrection(conflicts=[listed])
    row = UploadRow(row_id, stored is not None, scan, member_id, outcome, state.occupancy, gym.capacity)
    event = OfflineScanRecorded(
        new_id(),
        row_id,
        gym.id,
        scan.gate_id,
        member_id,
        outcome,
        conflict,
        state.made_at,
        now,
        scan.arrived_at,
        correction.visit_of_scan.get(row_id),
        stored is not None and stored.annulled is not None,
        stored.answer.decided_at if stored is not None else None,
    )
    changes = HistoryChanges(upload=row, correction=correction, events=[*correction.events, event])
    answer = OfflineAnswer(
        scan_id=scan.scan_id,
        gym_id=gym.id,
        occurred_at=state.made_at,
        conflict=conflict,
        occupancy=occupancy,
        capacity=gym.capacity,
        recorded_at=now,
        replayed=False,
    )
    return answer, changes


def _known_upload(
    scan: ScanRequest, stored: StoredScan, gym: LockedGym, state: UploadState
) -> tuple[OfflineAnswer, HistoryChanges]:
    """Answer a scan that was uploaded before, or decided at the gate without the answer arriving there."""
    conflict, correction = state.listed, VisitCorrection()
    if stored.annulled is not None:
        conflict = Conflict.ANNULLED
    elif stored.answer.outcome is not _outcome(scan):
        conflict = Conflict.DECIDED_OTHERWISE
    if conflict is not None and conflict is not state.listed:
        is_listed = state.listed is not None
        correction.conflicts.append(ConflictRow(stored.id, stored.answer.gym_id, conflict, is_listed))
    answer = OfflineAnswer(
        scan_id=stored.answer.scan_id,
        gym_id=stored.answer.gym_id,
        occurred_at=stored.occurred_at,
        conflict=conflict,
        occupancy=state.occupancy,
        capacity=gym.capacity,
        recorded_at=stored.answer.decided_at,
        replayed=True,
    )
    return answer, HistoryChanges(correction=correction)


def _is_another(scan: ScanRequest, stored: StoredScan) -> bool:
    """Whether a known scan id names another scan than this one.

    A scan that the gate refused is compared by its gate alone, because the device decided without the server then.
    """
    if stored.gate_id is None:  # annulled before it arrived
        return stored.answer.gym_id != scan.gym_id
    if stored.gate_id != scan.gate_id:
        return True
    if stored.answer.outcome is Outcome.REFUSED:
        return False
    is_forged = scan.reading.status is PassStatus.FORGED
    is_other_pass = is_forged != (stored.pass_status is PassStatus.FORGED)
    is_other_member = stored.member_id is not None and stored.member_id != scan.reading.member_id
    return is_other_pass or is_other_member or stored.direction not in {scan.direction, Direction.AUTO}


def _conflict_without_visit(scan: ScanRequest, state: UploadState) -> Conflict:
    """Why a scan makes no visit, whatever the member's other scans are."""
    if state.has_too_many:
        return Conflict.TOO_MANY
    if state.stored is not None and state.stored.annulled is not None:
        return Conflict.ANNULLED
    return Conflict.UNKNOWN_PASS if scan.reading.status is PassStatus.FORGED else Conflict.UNKNOWN_MEMBER


def _outcome(scan: ScanRequest) -> Outcome:
    return Outcome.LEFT if scan.direction is Direction.LEAVE else Outcome.ENTERED


def _fact(row_id: UUID, scan: ScanRequest, made_at: datetime, now: datetime) -> OfflineEntry:
    issued_at = scan.reading.issued_at
    assert issued_at is not None  # noqa: S101 - a pass that names a member has an issue time
    return OfflineEntry(
        row_id, (scan.scan_id, scan.asked_by), scan.gym_id, scan.gate_id, scan.direction, made_at, issued_at, now
    )
