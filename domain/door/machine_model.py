"""What is asked about using a machine, and what is answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class MachineAction(StrEnum):
    """What a member wants of a machine."""

    USE = "use"
    RELEASE = "release"


class UseOutcome(StrEnum):
    """What became of it."""

    USED = "used"
    RELEASED = "released"
    REFUSED = "refused"


class UseReason(StrEnum):
    """Why it was refused. Stable: clients compare these."""

    NOT_INSIDE = "not_inside"
    ALREADY_USING = "already_using"  # another machine
    IN_USE = "in_use"  # by somebody else
    OUT_OF_ORDER = "out_of_order"
    NOT_USING = "not_using"
    TOO_LATE = "too_late"


class UseEnded(StrEnum):
    """Why a use ended without a release of its own."""

    LEFT_GYM = "left_gym"
    TOO_LONG = "too_long"
    BY_STAFF = "by_staff"
    SCAN_ANNULLED = "scan_annulled"


@dataclass(frozen=True, slots=True)
class MachineRequest:
    """One wish about one machine.

    Args:
        request_id: the client's own id, unique for `asked_by`; a repeated one gets the first answer.
        asked_by: the member, or a staff member who releases it for them.
        gym_id: where the machine is.
        member_id: whose use it is.
        decide_by: past it nothing is begun or ended.
    """

    request_id: str
    asked_by: UUID
    gym_id: UUID
    machine_id: UUID
    member_id: UUID
    action: MachineAction
    arrived_at: datetime
    decide_by: datetime

    @property
    def by_staff(self) -> bool:
        """Whether somebody else asks than who uses it."""
        return self.asked_by != self.member_id


@dataclass(frozen=True, slots=True)
class MachineAnswer:
    """The answer to one wish.

    Args:
        use_id: the use that was begun or ended, or that goes on; None of a refusal.
    """

    request_id: str
    outcome: UseOutcome
    reason: UseReason | None
    machine_id: UUID
    member_id: UUID
    gym_id: UUID
    use_id: UUID | None
    decided_at: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class OpenUse:
    """A machine that a member uses, during a visit."""

    use_id: UUID
    machine_id: UUID
    gym_id: UUID
    member_id: UUID
    visit_id: UUID
    started_at: datetime
