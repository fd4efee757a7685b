"""Use a machine, or release it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from domain.clock import Clock
from domain.door.events import TOPIC, DoorEvent, MachineUsed
from domain.door.machine_model import (
    MachineAnswer,
    MachineRequest,
    OpenUse,
    UseEnded,
    UseOutcome,
    UseReason,
)
from domain.door.machine_repository import MachineUses
from domain.door.machine_rules import MachineState, UseVerdict, decide_use
from domain.door.model import Problem, Rejected
from domain.door.repository import DoorRepository
from domain.ids import new_id
from domain.outbox import store_events


def decide_machine(connection: Connection, request: MachineRequest, clock: Clock) -> MachineAnswer | Rejected:
    """Decide one wish about a machine; its gym and its member are locked already."""
    uses = MachineUses(connection)
    known = uses.known(request)
    if known is not None:
        return _again(request, known)
    works = uses.works(request.machine_id, request.gym_id)
    if works is None:
        return Rejected(Problem.UNKNOWN_MACHINE, "There is no such machine; ask for the gym's machines.")
    now = clock()
    state = MachineState(
        works=works,
        used=uses.of_machine(request.machine_id),
        visit_id=DoorRepository(connection).open_visit(request.member_id, request.gym_id),
        using=uses.of_member(request.member_id),
    )
    verdict = decide_use(request, state, now)
    events: list[tuple[UUID, DoorEvent]] = []
    use = verdict.goes_on or verdict.ends
    if verdict.begins and state.visit_id is not None:
        use = OpenUse(new_id(), request.machine_id, request.gym_id, request.member_id, state.visit_id, now)
        uses.begin(use)
        events = [(use.gym_id, MachineUsed(new_id(), use.gym_id, use.machine_id, use.use_id, now))]
    elif verdict.ends is not None:
        events = uses.end([verdict.ends], now, UseEnded.BY_STAFF if request.by_staff else None)
    store_events(connection, TOPIC, events, now)
    answer = _answer(request, verdict, use, now)
    uses.keep(request, answer)
    return answer


def _answer(request: MachineRequest, verdict: UseVerdict, use: OpenUse | None, now: datetime) -> MachineAnswer:
    return MachineAnswer(
        request_id=request.request_id,
        outcome=verdict.outcome,
        reason=verdict.reason,
        machine_id=request.machine_id,
        member_id=request.member_id,
        gym_id=request.gym_id,
        use_id=use.use_id if use is not None else None,
        decided_at=now,
        replayed=False,
    )


def _again(request: MachineRequest, row: Row[Any]) -> MachineAnswer | Rejected:
    if (row.machine_id, row.action) != (request.machine_id, request.action.value):
        return Rejected(
            Problem.REQUEST_ID_REUSED,
            "This request id was used for another machine or action; give every request an id of its own.",
        )
    return MachineAnswer(
        request_id=row.request_id,
        outcome=UseOutcome(row.outcome),
        reason=UseReason(row.reason) if row.reason else None,
        machine_id=row.machine_id,
        member_id=row.member_id,
        gym_id=row.gym_id,
        use_id=row.use_id,
        decided_at=row.decided_at,
        replayed=True,
    )
