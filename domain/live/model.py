"""The live view of a gym."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.door.list_model import Inside


@dataclass(frozen=True, slots=True)
class TrendMinute:
    """One minute of a gym: how many entered and left, and how many were inside at its end."""

    minute: datetime
    entered: int
    left: int
    occupancy: int


@dataclass(frozen=True, slots=True)
class MachineCount:
    """The machines of one type: all, and the free ones. Machines out of order are not free."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class LiveReading:
    """The state of a gym at one moment.

    Args:
        trend: the minutes of the last hour, or only the present minute.
        free_machines: by type.
        inside: the first members inside, oldest visit first; None if names were not requested.
        retired: only staff can see the gym.
    """

    gym_id: UUID
    occupancy: int
    capacity: int
    as_of: datetime
    trend: tuple[TrendMinute, ...]
    free_machines: dict[str, MachineCount]
    inside: tuple[Inside, ...] | None
    retired: bool = False
