"""Rules for visits that end, or begin, without a scan: deleted accounts, head counts, forgotten visits. Pure functions.

Forgotten uses of machines end together with forgotten visits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from domain.door.events import DoorEvent, HeadsCounted, VisitChanged, VisitInferred
from domain.door.machine_model import EndedUse, OpenUse, UseEnded
from domain.door.machine_rules import ended_with_visits, freed
from domain.door.model import (
    EndVisitAnswer,
    EndVisitRequest,
    ExpireVisitsAnswer,
    HeadCountAnswer,
    HeadCountRequest,
    Inferred,
    Problem,
    Rejected,
)
from domain.door.state import LockedGym, VisitRow
from domain.gyms.opening_hours import closing_after
from domain.gyms.timetable import Timetable
from domain.ids import new_id

# A head count with a digit too many would close a gym to everybody: more than three times the capacity plus 50 is
# refused.
_MAX_TIMES_CAPACITY, _MAX_EXTRA = 3, 50


class InsideVisit(NamedTuple):
    """An open visit, when it began, and its member; None: anonymous, added by a head count."""

    visit_id: UUID
    member_id: UUID | None
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class StayLimits:
    """How long a visit or a use of a machine may last before it counts as forgotten."""

    longest_visit: timedelta
    grace_after_closing: timedelta
    longest_use: timedelta
    time_zone: str
    timetable: Timetable

    def visit_over_at(self, entered_at: datetime) -> datetime:
        """When a visit counts as forgotten. Of two visits, the one that began later does so later or at once."""
        over_at = entered_at + self.longest_visit
        hours = self.timetable
        closing = closing_after(hours.hours, hours.exceptions, self.time_zone, entered_at)
        return over_at if closing is None else min(over_at, closing + self.grace_after_closing)


@dataclass(frozen=True, slots=True)
class EndVisitState:
    """What ending one visit needs.

    Args:
        visit: the member's open visit at this gym.
        use: the member's open use of a machine.
    """

    occupancy: int
    visit: InsideVisit | None
    use: OpenUse | None


@dataclass(frozen=True, slots=True)
class HeadCountState:
    """What a head count needs.

    Args:
        stored: the answer to this count id, if it was used before.
        surplus: the oldest open visits, as many as there are more than counted.
        is_locked: whether the members of all these visits are locked.
        uses: open uses of machines at the gym.
    """

    stored: HeadCountAnswer | None
    occupancy: int = 0
    surplus: Sequence[InsideVisit] = ()
    is_locked: bool = True
    uses: Sequence[OpenUse] = ()


@dataclass(frozen=True, slots=True)
class ForgottenState:
    """What is over its limits at a gym. Only visits whose members are locked and that are still open.

    Args:
        visits: forgotten visits.
        uses_of_visits: open uses during those visits.
        long_uses: forgotten uses during other visits.
    """

    visits: Sequence[InsideVisit]
    uses_of_visits: Sequence[OpenUse]
    long_uses: Sequence[OpenUse]


@dataclass(frozen=True, slots=True)
class HeadCountRow:
    """A head count, to be written."""

    id: UUID
    request: HeadCountRequest
    answer: HeadCountAnswer


@dataclass(frozen=True, slots=True)
class VisitChanges:
    """What a decision writes. `inferred` is why the visits end."""

    ended_visits: Sequence[InsideVisit] = ()
    inferred: Inferred | None = None
    new_visits: Sequence[VisitRow] = ()
    ended_uses: Sequence[EndedUse] = ()
    head_count: HeadCountRow | None = None
    events: list[DoorEvent] = field(default_factory=list)


def decide_end_visit(
    request: EndVisitRequest, gym: LockedGym, state: EndVisitState, now: datetime
) -> tuple[EndVisitAnswer, VisitChanges]:
    """End a member's open visit at a gym; without one nothing changes."""
    answer = EndVisitAnswer(
        member_id=request.member_id,
        gym_id=gym.id,
        ended=state.visit is not None,
        occupancy=state.occupancy - (state.visit is not None),
        capacity=gym.capacity,
        decided_at=now,
    )
    if state.visit is None:
        return answer, VisitChanges()
    uses = [state.use] if state.use is not None else []
    return answer, _end(gym.id, [state.visit], request.inferred, uses, now)


def decide_head_count(
    request: HeadCountRequest, gym: LockedGym, state: HeadCountState, now: datetime
) -> tuple[HeadCountAnswer | Rejected | None, VisitChanges]:
    """Make the open visits agree with a head count: end the oldest ones or add anonymous ones.

    Returns:
        None when another transaction has locked a member whose visit would end: decide again in a moment.
    """
    if state.stored is not None:
        return _stored_answer(request, state.stored), VisitChanges()
    if now > request.decide_by:
        late = Rejected(Problem.COUNT_TOO_LATE, "The head count arrived too late to be still correct. Count again.")
        return late, VisitChanges()
    highest = _MAX_TIMES_CAPACITY * gym.capacity + _MAX_EXTRA
    if request.counted > highest:
        detail = (
            f"A head count of {request.counted} exceeds {highest}, the maximum for a capacity of {gym.capacity}."
            " Count again, or raise the capacity."
        )
        return Rejected(Problem.COUNT_NOT_PLAUSIBLE, detail), VisitChanges()
    if not state.is_locked:
        return None, VisitChanges()
    added = [VisitRow(new_id(), gym.id, None, None, None, now, None) for _ in range(request.counted - state.occupancy)]
    answer = HeadCountAnswer(
        count_id=request.count_id,
        gym_id=gym.id,
        counted=request.counted,
        before=state.occupancy,
        closed=len(state.surplus),
        added=len(added),
        occupancy=request.counted,
        capacity=gym.capacity,
        counted_at=now,
        replayed=False,
    )
    row = HeadCountRow(new_id(), request, answer)
    changes = _end(gym.id, state.surplus, Inferred.HEAD_COUNT, state.uses, now)
    changes.events.extend(
        VisitChanged(new_id(), gym.id, visit.id, None, now, None, None, annulled=False, changed_at=now)
        for visit in added
    )
    changes.events.append(HeadsCounted(row.id, gym.id, state.occupancy, request.counted, now))
    return answer, replace(changes, new_visits=added, head_count=row)


def end_forgotten(gym: LockedGym, state: ForgottenState, now: datetime) -> tuple[ExpireVisitsAnswer, VisitChanges]:
    """End the forgotten visits and uses of machines at a gym."""
    changes = _end(gym.id, state.visits, Inferred.FORGOTTEN, state.uses_of_visits, now)
    long_uses = [EndedUse(use, now, UseEnded.TOO_LONG) for use in state.long_uses]
    answer = ExpireVisitsAnswer(gym.id, len(state.visits), len(long_uses), now)
    return answer, replace(
        changes, ended_uses=[*changes.ended_uses, *long_uses], events=[*changes.events, *map(freed, long_uses)]
    )


def _end(
    gym_id: UUID, visits: Sequence[InsideVisit], inferred: Inferred, uses: Iterable[OpenUse], now: datetime
) -> VisitChanges:
    """End open visits of a gym by a rule, and the uses of machines during them."""
    visit_ids = {visit.visit_id for visit in visits}
    ended_uses = ended_with_visits(uses, visit_ids, now)
    # A visit that began later, by the clock of another server, ends as it begins.
    events: list[DoorEvent] = [
        VisitInferred(
            new_id(), gym_id, visit.visit_id, visit.member_id, inferred, max(now, visit.entered_at), visit.entered_at
        )
        for visit in visits
    ]
    events += map(freed, ended_uses)
    return VisitChanges(visits, inferred, ended_uses=ended_uses, events=events)


def _stored_answer(request: HeadCountRequest, stored: HeadCountAnswer) -> HeadCountAnswer | Rejected:
    if (stored.gym_id, stored.counted) != (request.gym_id, request.counted):
        return Rejected(
            Problem.REQUEST_ID_REUSED, "This count id was used for another head count. Use a new id for every count."
        )
    return stored
