"""Machines of gyms."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.gyms.model import GymProblem, GymRefusal


@dataclass(frozen=True, slots=True)
class MachineText:
    """The texts of a machine. `name` has up to 100 characters, `type` up to 50."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class MachineChange:
    """Changed texts; None keeps what is stored."""

    name: str | None = None
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as it is stored.

    Args:
        legacy_number: how the existing web client names it; unique among all gyms.
        image: SHA-256 of its picture, hexadecimal.
        version: rises with every change.
        in_use: whether a member uses it now.
    """

    id: UUID
    legacy_number: int
    gym_id: UUID
    name: str
    type: str
    description: str
    image: str | None
    out_of_order_since: datetime | None
    out_of_order_reason: str | None
    retired_at: datetime | None
    version: int
    created_at: datetime
    in_use: bool = False

    @property
    def free(self) -> bool:
        """Whether a member can begin to use it."""
        return not self.in_use and self.out_of_order_since is None and self.retired_at is None


@dataclass(frozen=True, slots=True)
class MachineFilter:
    """Which machines of a gym to list.

    Args:
        type: only this type, compared without regard to case.
        free: only those that can be used now, or only the others.
        retired: also retired ones.
    """

    type: str | None = None
    free: bool | None = None
    retired: bool = False


UNKNOWN_MACHINE = GymRefusal(GymProblem.UNKNOWN_MACHINE, "There is no such machine.")
