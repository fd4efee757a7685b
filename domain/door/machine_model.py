"""Requests to use or release a machine, and their answers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class MachineAction(StrEnum):
    """What the request asks for."""

    USE = "use"
    RELEASE = "release"


class UseOutcome(StrEnum):
    """The result of a request."""

    USED = "used"
    RELEASED = "released"
    REFUSED = "refused"


class UseReason(StrEnum):
    """Why a request was refused. Stable: clients compare these."""

    NOT_INSIDE = "not_inside"
    ALREADY_USING = "already_using"  # another machine
    IN_USE = "in_use"  # by another member
    OUT_OF_ORDER = "out_of_order"
    NOT_USING = "not_using"
    TOO_LATE = "too_late"


class UseEnded(StrEnum):
    """Why a use ended although the member did not release the machine."""

    LEFT_GYM = "left_gym"
    TOO_LONG = "too_long"
    BY_STAFF = "by_staff"
    SCAN_ANNULLED = "scan_annulled"


@dataclass(frozen=True, slots=True)
class MachineRequest:
    """A request to use or release a machine.

    Args:
        request_id: the client's own id, unique for `asked_by`; a repeated one gets the first answer.
        asked_by: the member, or a staff member who releases the machine for them.
        gym_id: where the machine is.
        member_id: who uses it.
        decide_by: the deadline; past it nothing begins or ends.
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
        """Whether a staff member sent the request for the member."""
        return self.asked_by != self.member_id


@dataclass(frozen=True, slots=True)
class MachineAnswer:
    """The answer to a request.

    Args:
        use_id: the use that began, ended or continues; None when refused.
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
    """A machine that a member uses during a visit."""

    use_id: UUID
    machine_id: UUID
    gym_id: UUID
    member_id: UUID
    visit_id: UUID
    started_at: datetime


@dataclass(frozen=True, slots=True)
class EndedUse:
    """The end of a use, to be written.

    Args:
        inferred: why it ended without a release by the member; None when the member released the machine.
    """

    use: OpenUse
    ended_at: datetime
    inferred: UseEnded | None


@dataclass(frozen=True, slots=True)
class PastUse:
    """A use that ended, as it began.

    Args:
        works: whether the machine is neither out of order nor retired now.
        replaced_by: the machine's open use now, if any.
    """

    use: OpenUse
    ended_at: datetime
    works: bool
    replaced_by: UUID | None
