"""Who may use a machine: pure decisions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.door.machine_model import MachineAction, MachineRequest, OpenUse, UseOutcome, UseReason


@dataclass(frozen=True, slots=True)
class MachineState:
    """A machine and the member who asks about it, at the moment of a decision.

    Args:
        works: not out of order, not retired.
        used: its open use, whoever's.
        visit_id: the member's open visit at the machine's gym.
        using: the member's open use, of whichever machine.
    """

    works: bool
    used: OpenUse | None
    visit_id: UUID | None
    using: OpenUse | None


@dataclass(frozen=True, slots=True)
class UseVerdict:
    """What becomes of the wish.

    Args:
        begins: a use begins.
        ends: the open use that ends.
        goes_on: the open use that the wish finds as it wants it.
    """

    outcome: UseOutcome
    reason: UseReason | None = None
    begins: bool = False
    ends: OpenUse | None = None
    goes_on: OpenUse | None = None


def decide_use(request: MachineRequest, state: MachineState, now: datetime) -> UseVerdict:
    """Decide one wish. A machine out of order is released all the same: whoever uses it must get free."""
    if now > request.decide_by:
        return _refused(UseReason.TOO_LATE)
    own = state.used if state.used is not None and state.used.member_id == request.member_id else None
    if request.action is MachineAction.RELEASE:
        return _refused(UseReason.NOT_USING) if own is None else UseVerdict(UseOutcome.RELEASED, ends=own)
    if state.visit_id is None:
        return _refused(UseReason.NOT_INSIDE)
    if own is not None:
        return UseVerdict(UseOutcome.USED, goes_on=own)
    if state.using is not None:
        return _refused(UseReason.ALREADY_USING)
    if not state.works:
        return _refused(UseReason.OUT_OF_ORDER)
    if state.used is not None:
        return _refused(UseReason.IN_USE)
    return UseVerdict(UseOutcome.USED, begins=True)


def _refused(reason: UseReason) -> UseVerdict:
    return UseVerdict(UseOutcome.REFUSED, reason)
