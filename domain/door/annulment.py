"""Rules for annulling a scan: afterwards pass, visit and occupancy are as if it had never happened. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.door.corrections import correct_visits, occupancy_change
from domain.door.events import ScanAnnulled, ScanState, VisitChanged
from domain.door.history import AnnulledRow, HistoryChanges, MemberHistory, StoredVisit, VisitCorrection
from domain.door.model import AnnulAnswer, AnnulRequest, DoorLimits, Problem, Rejected
from domain.door.state import LockedGym, StoredScan
from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class AnnulmentState:
    """What an annulment needs.

    Args:
        scan: None: it was never seen.
        history: of the scan's member; None: the scan was refused or its member's account is gone.
        visit: of a scan whose member's account is gone: the visit that it began or joined.
        next_entry: another scan that joined this visit, with the time when it was decided.
    """

    occupancy: int
    scan: StoredScan | None
    history: MemberHistory | None = None
    visit: StoredVisit | None = None
    next_entry: tuple[UUID, datetime] | None = None


def decide_annulment(
    request: AnnulRequest, gym: LockedGym, state: AnnulmentState, now: datetime, limits: DoorLimits
) -> tuple[AnnulAnswer | Rejected, HistoryChanges]:
    """Annul a scan. A scan that was never seen leaves a tombstone, which refuses the scan when it arrives."""
    scan, occupancy = state.scan, state.occupancy
    if scan is None:
        tombstone = AnnulledRow(request, None, occupancy, gym.capacity)
        return _answer(request, gym, occupancy, now), HistoryChanges(annulled=tombstone)
    if scan.annulled is not None:
        return _answer(request, gym, occupancy, scan.annulled.at), HistoryChanges()
    if not request.by_staff and request.arrived_at - scan.answer.decided_at > limits.annul_window:
        minutes = round(limits.annul_window.total_seconds() / 60)
        detail = f"A device may annul its scan for {minutes} minutes. Ask the staff to annul it."
        return Rejected(Problem.ANNUL_WINDOW_OVER, detail), HistoryChanges()
    correction = VisitCorrection()
    if state.history is not None:
        correction = correct_visits(state.history, now, annulled=scan.id)
        occupancy += occupancy_change(state.history, correction, gym.id)
    elif state.visit is not None:
        _annul_anonymous_visit(scan.id, state.visit, state.next_entry, correction, now)
    correction.dropped_conflicts.add(scan.id)
    event = ScanAnnulled(new_id(), gym.id, scan.member_id, scan.answer.outcome, occupancy, now, _annulled_state(scan))
    row = AnnulledRow(request, scan.id, occupancy, gym.capacity)
    changes = HistoryChanges(annulled=row, correction=correction, events=[*correction.events, event])
    return _answer(request, gym, occupancy, now), changes


def _answer(request: AnnulRequest, gym: LockedGym, occupancy: int, annulled_at: datetime) -> AnnulAnswer:
    over = occupancy > gym.capacity
    return AnnulAnswer(request.scan_id, annulled_at, gym.id, occupancy, gym.capacity, over_capacity=over)


def _annulled_state(scan: StoredScan) -> ScanState:
    return ScanState(
        scan.id,
        scan.gate_id,
        scan.member_id,
        scan.answer.outcome,
        scan.answer.reason,
        scan.offline,
        scan.occurred_at if scan.offline else scan.scanned_at,
        scan.arrived_at,
        scan.answer.decided_at,
        scan.visit_id,
        scan.repeat,
        annulled=True,
    )


def _annul_anonymous_visit(
    scan: UUID,
    visit: StoredVisit,
    next_entry: tuple[UUID, datetime] | None,
    correction: VisitCorrection,
    now: datetime,
) -> None:
    """Annul the visit of a deleted account with the last of its scans. Its end stays as it is."""
    values = visit.values
    if visit.annulled or values.entered_scan != scan:
        return
    if next_entry is not None and (values.left_at is None or next_entry[1] <= values.left_at):
        next_scan, entered_at = next_entry
        correction.changed.append((visit.id, replace(values, entered_scan=next_scan, entered_at=entered_at)))
        annulled = False
    else:
        entered_at, annulled = values.entered_at, True
        correction.annulled.append(visit.id)
    correction.events.append(
        VisitChanged(
            new_id(),
            visit.gym_id,
            visit.id,
            None,
            entered_at,
            values.left_at,
            values.inferred,
            annulled,
            now,
            values.entered_at if values.entered_at != entered_at else None,
        )
    )
