"""What the door lists for members, staff and other areas: visits, who is inside, head counts, conflicts."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.door.model import Conflict, Direction, Outcome, Reason


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several devices used this scan id, so it does not identify a scan."""


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """Which scans of a gym to list; None: all."""

    outcome: Outcome | None = None
    reason: Reason | None = None
    member_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Number of people inside a gym, and its capacity."""

    gym_id: UUID
    occupancy: int
    capacity: int
    retired: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """Somebody inside a gym. Anonymous when a head count added them.

    Args:
        over_capacity: more people are inside than the gym's capacity; the same for everybody.
    """

    visit_id: UUID
    member_id: UUID | None
    name: str | None
    since: datetime
    gate_id: UUID | None
    gate_name: str | None
    over_capacity: bool = False


@dataclass(frozen=True, slots=True)
class RollCall:
    """Everybody inside a gym, in the order of arrival.

    Args:
        more: more people are inside than are listed.
    """

    gym_name: str
    time_zone: str
    capacity: int
    inside: tuple[Inside, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class ListedVisit:
    """A visit. One that a head count added has no member and no gate.

    Args:
        inferred: why it ended without an exit scan.
    """

    id: UUID
    gym_id: UUID
    gym_name: str | None
    member_id: UUID | None
    member_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None


@dataclass(frozen=True, slots=True)
class HeadCount:
    """A head count and the correction that it made."""

    id: UUID
    gym_id: UUID
    by_id: UUID
    by_name: str | None
    counted: int
    before: int
    closed: int
    added: int
    reason: str
    counted_at: datetime


@dataclass(frozen=True, slots=True)
class ListedConflict:
    """An offline scan that contradicts other records, and whether the staff have settled it. `id` is the scan's row."""

    id: UUID
    gym_id: UUID
    kind: Conflict
    found_at: datetime
    scan_id: str
    asked_by: UUID
    gate_id: UUID | None
    outcome: Outcome
    direction: Direction | None
    member_id: UUID | None
    member_name: str | None
    occurred_at: datetime
    annulled: bool
    settled_at: datetime | None
    settled_by: UUID | None
    note: str | None


@dataclass(frozen=True, slots=True)
class MachinePlace:
    """Where a machine is, and who uses it."""

    gym_id: UUID
    used_by: UUID | None
