"""Machines: what stands in a gym, and what may be wished for of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.gyms.model import GymProblem, GymRefusal


@dataclass(frozen=True, slots=True)
class MachineText:
    """What people write of a machine. `name` up to 100 letters, `type` up to 50."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class MachineChange:
    """What is to be different; None stays as it is."""

    name: str | None = None
    type: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as it is shown.

    Args:
        legacy_number: what the existing web client calls it; unique among all gyms.
        image: the SHA-256 of its picture, hexadecimal.
        version: counts its changes; an edit names the one that it began with.
        in_use: whether somebody is on it now.
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
        """Whether somebody may begin to use it."""
        return not self.in_use and self.out_of_order_since is None and self.retired_at is None


@dataclass(frozen=True, slots=True)
class MachineFilter:
    """Which machines of a gym are wanted.

    Args:
        type: of this one only, whatever its capitals.
        free: those that may be used now, or those that may not.
        retired: also those that were taken out of service.
    """

    type: str | None = None
    free: bool | None = None
    retired: bool = False


UNKNOWN_MACHINE = GymRefusal(GymProblem.UNKNOWN_MACHINE, "There is no such machine.")
