"""A gym as it is now, for those who watch it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.door.list_model import Inside


@dataclass(frozen=True, slots=True)
class TrendMinute:
    """One minute of a gym: who came, who left, and how many were inside at its end."""

    minute: datetime
    entered: int
    left: int
    occupancy: int


@dataclass(frozen=True, slots=True)
class MachineCount:
    """How many machines of one type a gym has, and how many nobody uses; those out of order are not free."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class LiveReading:
    """A gym as it was read at one moment.

    Args:
        trend: minute by minute up to the present one; from the last hour's first minute, or only the present one.
        free_machines: by type.
        inside: the first who are inside, by name, oldest visit first; None where nobody asked for names.
        retired: it is there for staff only.
    """

    gym_id: UUID
    occupancy: int
    capacity: int
    as_of: datetime
    trend: tuple[TrendMinute, ...]
    free_machines: dict[str, MachineCount]
    inside: tuple[Inside, ...] | None
    retired: bool = False
