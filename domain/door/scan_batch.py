"""A batch of scans under decision: what is known so far, and what is to be written at its end.

Decisions inside one batch see each other through this, without asking the store again.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from domain.door.ending import free_machines
from domain.door.events import TOPIC, DoorEvent, ScanDecided, VisitInferred
from domain.door.model import DoorLimits, Outcome, PassReading, ScanAnswer, ScanRequest, ShownMember
from domain.door.recent_scan_repository import AcceptedScans
from domain.door.repository import DoorRepository, Ending, GymRow, MemberRow
from domain.door.rows import NewScan, NewVisit
from domain.door.rules import Verdict
from domain.door.state import AcceptedScan, GymState, MemberState, OpenVisit
from domain.gyms.opening_hours import is_open
from domain.ids import new_id
from domain.outbox import store_events
from domain.passes import good_from

_LATER = timedelta(microseconds=1)


class Batch:
    """The state of one batch; its gyms and members are locked already.

    Args:
        requests: the scans to be decided, to know what to read.
        now: the moment of its decisions, by the server's clock; of a member whose last scan was decided by a clock
            that is ahead of it, a moment after that one.
    """

    def __init__(
        self,
        connection: Connection,
        requests: Sequence[ScanRequest],
        gyms: dict[UUID, GymRow],
        members: dict[UUID, MemberRow],
        now: datetime,
        limits: DoorLimits,
    ) -> None:
        repository = DoorRepository(connection)
        codes = {
            (request.reading.member_id, request.reading.issued_at)
            for request in requests
            if request.reading.member_id in members and request.reading.issued_at is not None
        }
        gyms_now = repository.gyms_now(gyms, now)
        members_now = repository.members_now(members)
        long_lived = {
            (request.reading.member_id, request.reading.issued_at): request.reading.validity
            for request in requests
            if request.reading.validity is not None
            and request.reading.member_id in members
            and request.reading.issued_at is not None
        }
        accepted = AcceptedScans(connection).of(members, codes, now, limits.repeat_window, long_lived)
        self._connection = connection
        self._repository = repository
        self._gyms = gyms
        self._members = members
        self._now = now
        self._open = {
            id_: not gym.retired
            and is_open(gyms_now.hours.get(id_, ()), gyms_now.exceptions.get(id_, ()), gym.time_zone, now)
            for id_, gym in gyms.items()
        }
        self._occupancy = gyms_now.occupancy
        self._inside = members_now.inside
        self._memberships = members_now.memberships
        self._at_machines = members_now.at_machines
        self._paying = members_now.paying
        self._last = accepted.last
        self._codes_left = accepted.left_by
        self._codes_entered = accepted.entered_by
        self._last_entry = accepted.last_entry
        self._scans: list[NewScan] = []
        self._visits: dict[UUID, NewVisit] = {}
        self._endings: list[Ending] = []
        self._left_machines: list[UUID] = []
        self._events: list[tuple[UUID, DoorEvent]] = []

    def gym(self, gym_id: UUID) -> GymState:
        """The gym as the decisions so far have left it."""
        row = self._gyms[gym_id]
        return GymState(row.id, row.capacity, self._occupancy.get(gym_id, 0), self._open[gym_id], row.reentry_after)

    def member(self, request: ScanRequest) -> MemberState | None:
        """The member whom a scan names, as the decisions so far have left them; None: nobody who is known."""
        member_id = request.reading.member_id
        row = self._members.get(member_id) if member_id is not None else None
        if member_id is None or row is None or row.deleted:
            return None
        gym = self._gyms[request.gym_id]
        code = (member_id, request.reading.issued_at)
        return MemberState(
            shown=row.shown,
            banned=row.banned,
            memberships=tuple(
                [held.seen_from(gym.id, gym.company_id) for held in self._memberships.get(member_id, ())]
            ),
            open_visit=self._inside.get(member_id),
            last_accepted=self._last.get(member_id),
            code_entered=code in self._codes_entered,
            code_left=code in self._codes_left,
            payment_open=member_id in self._paying,
            entered_since=self._has_entered_since(request.reading),
        )

    def apply(self, request: ScanRequest, member: MemberState | None, verdict: Verdict) -> ScanAnswer:
        """Take a decision into the state and note what it writes.

        Returns:
            The answer to the door.
        """
        row_id = new_id()
        moment = self._moment(member)
        visit_id = self._end(member, verdict, row_id, moment) if verdict.ends_visit else None
        if verdict.opens_visit and member is not None:
            visit_id = self._begin(request, member.shown, row_id, moment)
        gym = self.gym(request.gym_id)
        occupancy, capacity = gym.occupancy, gym.capacity
        if verdict.repeats is not None:
            visit_id, occupancy, capacity = (
                verdict.repeats.visit_id,
                verdict.repeats.occupancy,
                verdict.repeats.capacity,
            )
        answer = ScanAnswer(
            scan_id=request.scan_id,
            outcome=verdict.outcome,
            reason=verdict.reason,
            remedy=verdict.remedy,
            member=member.shown if member is not None else None,
            gym_id=gym.id,
            occupancy=occupancy,
            capacity=capacity,
            decided_at=moment,
            replayed=verdict.repeats is not None,
        )
        self._note(request, verdict, answer, row_id, visit_id)
        return answer

    def write(self) -> None:
        """Write everything that the decisions have brought."""
        self._repository.add_scans(self._scans)
        # A member is inside once: ended visits are taken out before new ones are opened.
        self._repository.end_visits(self._endings)
        self._repository.add_visits(list(self._visits.values()))
        self._events += free_machines(self._connection, self._left_machines, self._now)
        store_events(self._connection, TOPIC, self._events, self._now)

    def _has_entered_since(self, reading: PassReading) -> bool:
        if reading.validity is None or reading.member_id is None or reading.issued_at is None:
            return False
        # By another server's clock it may have been issued a little later than it was.
        entered_at = self._last_entry.get(reading.member_id)
        return entered_at is not None and entered_at >= good_from(reading.issued_at)

    def _moment(self, member: MemberState | None) -> datetime:
        """When it is decided: what a member does later is later, whichever server's clock tells it."""
        known = (member.open_visit, member.last_accepted) if member is not None else (None, None)
        entered_at = known[0].entered_at if known[0] is not None else self._now
        accepted_at = known[1].decided_at if known[1] is not None else self._now
        latest = max(entered_at, accepted_at)
        return latest + _LATER if latest > self._now else self._now

    def _begin(self, request: ScanRequest, member: ShownMember, row_id: UUID, moment: datetime) -> UUID:
        visit_id = new_id()
        self._visits[visit_id] = NewVisit(
            visit_id, request.gym_id, member.id, request.gate_id, request.reading.issued_at, moment, row_id
        )
        self._inside[member.id] = OpenVisit(visit_id, request.gym_id, moment)
        self._occupancy[request.gym_id] = self._occupancy.get(request.gym_id, 0) + 1
        return visit_id

    def _end(self, member: MemberState | None, verdict: Verdict, row_id: UUID, moment: datetime) -> UUID | None:
        if member is None or member.open_visit is None:
            return None
        visit = self._inside.pop(member.shown.id)
        if visit.gym_id in self._occupancy:
            self._occupancy[visit.gym_id] -= 1
        begun = self._visits.get(visit.visit_id)
        if begun is not None:  # in this very batch
            begun.left_at, begun.left_scan, begun.inferred = moment, row_id, verdict.inferred
        else:
            self._endings.append(Ending(visit.visit_id, moment, row_id, verdict.inferred))
        if visit.visit_id in self._at_machines:
            self._left_machines.append(visit.visit_id)
        if verdict.inferred is not None:
            event = VisitInferred(new_id(), visit.gym_id, visit.visit_id, member.shown.id, verdict.inferred, moment)
            self._events.append((visit.gym_id, event))
        return visit.visit_id

    def _note(
        self, request: ScanRequest, verdict: Verdict, answer: ScanAnswer, row_id: UUID, visit_id: UUID | None
    ) -> None:
        request = self._without_forgotten(request)
        reading = request.reading
        repeats_id = verdict.repeats.id if verdict.repeats is not None else None
        self._scans.append(NewScan(row_id, request, answer, visit_id, repeats_id))
        self._events.append(
            (
                request.gym_id,
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
                ),
            )
        )
        if answer.member is None or verdict.outcome is Outcome.REFUSED:
            return
        if reading.issued_at is not None:
            codes = self._codes_left if verdict.outcome is Outcome.LEFT else self._codes_entered
            codes.add((answer.member.id, reading.issued_at))
        if verdict.outcome is Outcome.ENTERED:
            self._last_entry[answer.member.id] = answer.decided_at
        if verdict.repeats is not None:
            return
        self._last[answer.member.id] = AcceptedScan(
            row_id,
            request.gate_id,
            verdict.outcome,
            answer.decided_at,
            reading.issued_at,
            answer.occupancy,
            answer.capacity,
            visit_id,
        )

    def _without_forgotten(self, request: ScanRequest) -> ScanRequest:
        """The scan as it is kept: what a deleted account did is kept without it."""
        member_id = request.reading.member_id
        row = self._members.get(member_id) if member_id is not None else None
        if row is None or not row.deleted:
            return request
        return replace(request, reading=replace(request.reading, member_id=None))
