"""Decides a batch of scans in order. Pure: it reads the loaded state and collects the changes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.door.events import ScanDecided, VisitInferred
from domain.door.machine_model import EndedUse, UseEnded
from domain.door.machine_rules import freed
from domain.door.model import (
    CheckPayment,
    DoorLimits,
    DoorResult,
    Outcome,
    PassReading,
    Problem,
    Reason,
    Rejected,
    Remedy,
    ScanAnswer,
    ScanRequest,
    ShownMember,
)
from domain.door.rules import ScanDecision, decide_scan
from domain.door.state import (
    AcceptedScan,
    DoorState,
    GymState,
    MemberState,
    OpenVisit,
    ScanChanges,
    ScanKey,
    ScanRow,
    StoredScan,
    VisitEnd,
    VisitRow,
)
from domain.gyms.opening_hours import is_open
from domain.ids import new_id
from domain.passes import good_from

_ONE_LATER = timedelta(microseconds=1)
UNKNOWN_GYM = Rejected(Problem.UNKNOWN_GYM, "Unknown gym. Use an id from the list of gyms.")
_SCAN_ID_REUSED = Rejected(
    Problem.SCAN_ID_REUSED, "This scan id was used with another gate or direction. Use a new id for every scan."
)


def decide_scans(
    requests: Sequence[ScanRequest], state: DoorState, now: datetime, limits: DoorLimits
) -> tuple[list[DoorResult], ScanChanges]:
    """Decide scans in order; each decision sees those before it.

    Args:
        state: loaded after the locks; the decisions update it.
        now: the time of all decisions.

    Returns:
        One result for each request, and everything to be saved.
    """
    batch = _ScanBatch(state, now, limits)
    return [batch.decide(request) for request in requests], batch.changes


class _ScanBatch:
    """The state of the door between two scans of a batch."""

    def __init__(self, state: DoorState, now: datetime, limits: DoorLimits) -> None:
        gyms = state.gyms
        self.changes = ScanChanges()
        self._stored = state.stored
        self._gyms, self._members = state.locked.gyms, state.locked.members
        self._occupancy = gyms.occupancy
        self._is_open = {
            id_: not gym.retired and is_open(gyms.hours.get(id_, ()), gyms.exceptions.get(id_, ()), gym.time_zone, now)
            for id_, gym in self._gyms.items()
        }
        self._loaded = state.members
        self._recent = state.recent
        self._now = now
        self._limits = limits
        self._answered: dict[ScanKey, tuple[ScanRequest, ScanAnswer]] = {}

    def decide(self, request: ScanRequest) -> DoorResult:
        key = (request.scan_id, request.asked_by)
        if key in self._stored:
            return _stored_answer(request, self._stored[key])
        if key in self._answered:
            return _repeated_answer(request, *self._answered[key])
        if request.gym_id not in self._gyms:
            return UNKNOWN_GYM
        member = self._member(request)
        decision = decide_scan(request, self._gym(request.gym_id), member, self._now, self._limits)
        if decision.check_payment and member is not None:
            return CheckPayment(request.scan_id, member.shown.id)
        answer = self._apply(request, member, decision)
        self._answered[key] = request, answer
        return answer

    def _gym(self, gym_id: UUID) -> GymState:
        gym = self._gyms[gym_id]
        return GymState(gym.id, gym.capacity, self._occupancy.get(gym_id, 0), self._is_open[gym_id], gym.reentry_after)

    def _member(self, request: ScanRequest) -> MemberState | None:
        """The member of the pass; None when it names nobody or nobody who is known."""
        member_id = request.reading.member_id
        member = self._members.get(member_id) if member_id is not None else None
        if member_id is None or member is None or member.deleted:
            return None
        gym = self._gyms[request.gym_id]
        code = (member_id, request.reading.issued_at)
        return MemberState(
            shown=member.shown,
            banned=member.banned,
            memberships=tuple(
                [held.seen_from(gym.id, gym.company_id) for held in self._loaded.memberships.get(member_id, ())]
            ),
            open_visit=self._loaded.open_visits.get(member_id),
            last_accepted=self._recent.last.get(member_id),
            code_entered=code in self._recent.entered_by,
            code_left=code in self._recent.left_by,
            payment_open=member_id in self._loaded.paying,
            entered_since=self._has_entered_since(request.reading),
        )

    def _has_entered_since(self, reading: PassReading) -> bool:
        if reading.validity is None or reading.member_id is None or reading.issued_at is None:
            return False
        # The pass may have been issued by a server whose clock is ahead.
        entered_at = self._recent.last_entry.get(reading.member_id)
        return entered_at is not None and entered_at >= good_from(reading.issued_at)

    def _apply(self, request: ScanRequest, member: MemberState | None, decision: ScanDecision) -> ScanAnswer:
        """Update the state by a decision and collect its changes."""
        row_id = new_id()
        decided_at = self._decided_at(member)
        visit = self._end_visit(member, decision, row_id, decided_at) if decision.ends_visit else None
        if decision.opens_visit and member is not None:
            visit = self._open_visit(request, member.shown, row_id, decided_at)
        visit_id = visit.visit_id if visit is not None else None
        gym = self._gym(request.gym_id)
        occupancy, capacity = gym.occupancy, gym.capacity
        if decision.repeats is not None:
            visit_id, occupancy, capacity = (
                decision.repeats.visit_id,
                decision.repeats.occupancy,
                decision.repeats.capacity,
            )
        answer = ScanAnswer(
            scan_id=request.scan_id,
            outcome=decision.outcome,
            reason=decision.reason,
            remedy=decision.remedy,
            member=member.shown if member is not None else None,
            gym_id=gym.id,
            occupancy=occupancy,
            capacity=capacity,
            decided_at=decided_at,
            replayed=decision.repeats is not None,
        )
        entered_at = visit.entered_at if visit is not None else None
        self._record(request, decision, answer, row_id, visit_id, entered_at)
        return answer

    def _decided_at(self, member: MemberState | None) -> datetime:
        """The batch's time, or just after the member's last scan if another server's clock was ahead."""
        known = (member.open_visit, member.last_accepted) if member is not None else (None, None)
        entered_at = known[0].entered_at if known[0] is not None else self._now
        accepted_at = known[1].decided_at if known[1] is not None else self._now
        latest = max(entered_at, accepted_at)
        return latest + _ONE_LATER if latest > self._now else self._now

    def _open_visit(self, request: ScanRequest, member: ShownMember, row_id: UUID, decided_at: datetime) -> OpenVisit:
        visit_id = new_id()
        self.changes.new_visits[visit_id] = VisitRow(
            visit_id, request.gym_id, member.id, request.gate_id, request.reading.issued_at, decided_at, row_id
        )
        visit = self._loaded.open_visits[member.id] = OpenVisit(visit_id, request.gym_id, decided_at)
        self._occupancy[request.gym_id] = self._occupancy.get(request.gym_id, 0) + 1
        return visit

    def _end_visit(
        self, member: MemberState | None, decision: ScanDecision, row_id: UUID, left_at: datetime
    ) -> OpenVisit | None:
        if member is None or member.open_visit is None:
            return None
        visit = self._loaded.open_visits.pop(member.shown.id)
        if visit.gym_id in self._occupancy:
            self._occupancy[visit.gym_id] -= 1
        new = self.changes.new_visits.get(visit.visit_id)
        if new is not None:  # it began in this batch
            new.left_at, new.left_scan, new.inferred = left_at, row_id, decision.inferred
        else:
            self.changes.visit_ends.append(VisitEnd(visit.visit_id, left_at, row_id, decision.inferred))
        if decision.inferred is not None:
            self.changes.events.append(
                VisitInferred(
                    new_id(),
                    visit.gym_id,
                    visit.visit_id,
                    member.shown.id,
                    decision.inferred,
                    left_at,
                    visit.entered_at,
                )
            )
        use = self._loaded.machine_uses.get(visit.visit_id)
        if use is not None:
            ended = EndedUse(use, self._now, UseEnded.LEFT_GYM)
            self.changes.ended_uses.append(ended)
            self.changes.events.append(freed(ended))
        return visit

    def _record(
        self,
        request: ScanRequest,
        decision: ScanDecision,
        answer: ScanAnswer,
        row_id: UUID,
        visit_id: UUID | None,
        entered_at: datetime | None,
    ) -> None:
        """Collect the scan's row and event, and update the member's recent scans."""
        request = self._without_deleted_member(request)
        reading = request.reading
        repeats_id = decision.repeats.id if decision.repeats is not None else None
        self.changes.scans.append(ScanRow(row_id, request, answer, visit_id, repeats_id))
        self.changes.events.append(
            ScanDecided(
                row_id,
                request.gym_id,
                request.gate_id,
                reading.member_id,
                answer.outcome,
                answer.reason,
                visit_id,
                answer.occupancy,
                request.arrived_at,
                answer.decided_at,
                request.scanned_at,
                repeats_id is not None,
                entered_at,
            )
        )
        if answer.member is None or decision.outcome is Outcome.REFUSED:
            return
        recent = self._recent
        if reading.issued_at is not None:
            codes = recent.left_by if decision.outcome is Outcome.LEFT else recent.entered_by
            codes.add((answer.member.id, reading.issued_at))
        if decision.outcome is Outcome.ENTERED:
            recent.last_entry[answer.member.id] = answer.decided_at
        if decision.repeats is None:
            recent.last[answer.member.id] = AcceptedScan(
                row_id,
                request.gate_id,
                decision.outcome,
                answer.decided_at,
                reading.issued_at,
                answer.occupancy,
                answer.capacity,
                visit_id,
            )

    def _without_deleted_member(self, request: ScanRequest) -> ScanRequest:
        """The scan as it is stored: without the member when the account is deleted."""
        member_id = request.reading.member_id
        member = self._members.get(member_id) if member_id is not None else None
        if member is None or not member.deleted:
            return request
        return replace(request, reading=replace(request.reading, member_id=None))


def _stored_answer(request: ScanRequest, stored: StoredScan) -> ScanAnswer | Rejected:
    """The first answer to a scan id that was decided before, though its code may be stale by now."""
    if stored.gate_id is not None and (stored.gate_id, stored.direction) != (request.gate_id, request.direction):
        return _SCAN_ID_REUSED
    if stored.annulled is None:
        return stored.answer
    # An annulled scan admits nobody; nor does a scan that was annulled before it arrived.
    return replace(stored.answer, outcome=Outcome.REFUSED, reason=Reason.TOO_LATE, remedy=Remedy.SCAN_AGAIN)


def _repeated_answer(request: ScanRequest, first: ScanRequest, answer: ScanAnswer) -> ScanAnswer | Rejected:
    """The answer to a scan id that occurs twice in one batch."""
    if (first.gate_id, first.direction) != (request.gate_id, request.direction):
        return _SCAN_ID_REUSED
    return replace(answer, replayed=True)
