"""Rules for using machines. Pure functions."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain.door.events import DoorEvent, MachineFreed, MachineUsed
from domain.door.machine_model import (
    EndedUse,
    MachineAction,
    MachineAnswer,
    MachineRequest,
    OpenUse,
    UseEnded,
    UseOutcome,
    UseReason,
)
from domain.door.model import Problem, Rejected
from domain.ids import new_id


@dataclass(frozen=True, slots=True)
class StoredMachineRequest:
    """A request that was decided before."""

    action: MachineAction
    answer: MachineAnswer


@dataclass(frozen=True, slots=True)
class MachineState:
    """A machine and a member at the moment of a decision.

    Args:
        stored: the same request, if it was decided before.
        works: neither out of order nor retired; None: the gym has no such machine.
        machine_use: the machine's open use, by any member.
        visit_id: the member's open visit at the machine's gym.
        member_use: the member's open use, of any machine.
    """

    stored: StoredMachineRequest | None = None
    works: bool | None = None
    machine_use: OpenUse | None = None
    visit_id: UUID | None = None
    member_use: OpenUse | None = None


@dataclass(frozen=True, slots=True)
class MachineChanges:
    """What a decision writes: its request with the answer, a use that begins, uses that end."""

    request: MachineRequest | None = None
    answer: MachineAnswer | None = None
    begun: OpenUse | None = None
    ended: list[EndedUse] = field(default_factory=list)
    events: list[DoorEvent] = field(default_factory=list)


def decide_use(
    request: MachineRequest, state: MachineState, now: datetime
) -> tuple[MachineAnswer | Rejected, MachineChanges]:
    """Decide a request to use or release a machine.

    A machine that is out of order can be released: its user must be able to leave it.
    """
    if state.stored is not None:
        return _stored_answer(request, state.stored), MachineChanges()
    if state.works is None:
        rejected = Rejected(Problem.UNKNOWN_MACHINE, "Unknown machine. Use an id from the list of the gym's machines.")
        return rejected, MachineChanges()
    reason = _refusal(request, state, now)
    if reason is not None:
        answer = _answer(request, UseOutcome.REFUSED, reason, None, now)
        return answer, MachineChanges(request, answer)
    own = _own_use(request, state)
    if request.action is MachineAction.RELEASE and own is not None:
        ended = EndedUse(own, now, UseEnded.BY_STAFF if request.by_staff else None)
        answer = _answer(request, UseOutcome.RELEASED, None, own, now)
        return answer, MachineChanges(request, answer, ended=[ended], events=[freed(ended)])
    if own is not None:  # the member uses it already
        answer = _answer(request, UseOutcome.USED, None, own, now)
        return answer, MachineChanges(request, answer)
    assert state.visit_id is not None  # noqa: S101 - otherwise refused as not inside
    use = OpenUse(new_id(), request.machine_id, request.gym_id, request.member_id, state.visit_id, now)
    answer = _answer(request, UseOutcome.USED, None, use, now)
    event = MachineUsed(new_id(), use.gym_id, use.machine_id, use.use_id, now, use.member_id)
    return answer, MachineChanges(request, answer, begun=use, events=[event])


def ended_with_visits(uses: Iterable[OpenUse], visit_ids: Collection[UUID], now: datetime) -> list[EndedUse]:
    """The uses that end because their visits end."""
    return [EndedUse(use, now, UseEnded.LEFT_GYM) for use in uses if use.visit_id in visit_ids]


def freed(ended: EndedUse) -> MachineFreed:
    """The event of a use that ends."""
    use = ended.use
    return MachineFreed(
        new_id(),
        use.gym_id,
        use.machine_id,
        use.use_id,
        ended.inferred,
        ended.ended_at,
        use.member_id,
        use.started_at,
    )


def _refusal(request: MachineRequest, state: MachineState, now: datetime) -> UseReason | None:
    if now > request.decide_by:
        return UseReason.TOO_LATE
    own = _own_use(request, state)
    if request.action is MachineAction.RELEASE:
        return UseReason.NOT_USING if own is None else None
    if state.visit_id is None:
        return UseReason.NOT_INSIDE
    if own is not None:
        return None
    if state.member_use is not None:
        return UseReason.ALREADY_USING
    if not state.works:
        return UseReason.OUT_OF_ORDER
    return UseReason.IN_USE if state.machine_use is not None else None


def _own_use(request: MachineRequest, state: MachineState) -> OpenUse | None:
    """The machine's open use, if it is the member's."""
    use = state.machine_use
    return use if use is not None and use.member_id == request.member_id else None


def _answer(
    request: MachineRequest, outcome: UseOutcome, reason: UseReason | None, use: OpenUse | None, now: datetime
) -> MachineAnswer:
    return MachineAnswer(
        request_id=request.request_id,
        outcome=outcome,
        reason=reason,
        machine_id=request.machine_id,
        member_id=request.member_id,
        gym_id=request.gym_id,
        use_id=use.use_id if use is not None else None,
        decided_at=now,
        replayed=False,
    )


def _stored_answer(request: MachineRequest, stored: StoredMachineRequest) -> MachineAnswer | Rejected:
    if (stored.answer.machine_id, stored.action) != (request.machine_id, request.action):
        return Rejected(
            Problem.REQUEST_ID_REUSED,
            "This request id was used for another machine or action. Use a new id for every request.",
        )
    return replace(stored.answer, replayed=True)
