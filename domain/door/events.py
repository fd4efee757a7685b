"""Events of the door, published on `gym-events` with the gym as the key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.door.machine_model import UseEnded
from domain.door.model import Conflict, Inferred, Outcome, Reason

TOPIC = "gym-events"


@dataclass(frozen=True, slots=True)
class ScanDecided:
    """A scan was decided, refusals included. `event_id` is the scan's row; `occupancy` is the gym's just after."""

    event_id: UUID
    gym_id: UUID
    gate_id: UUID
    member_id: UUID | None
    outcome: Outcome
    reason: Reason | None
    visit_id: UUID | None
    occupancy: int
    arrived_at: datetime
    decided_at: datetime
    type: Literal["scan_decided"] = "scan_decided"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class VisitInferred:
    """A visit ended without a scan at its own exit. Its gym may differ from the one where the member is now."""

    event_id: UUID
    gym_id: UUID
    visit_id: UUID
    member_id: UUID | None
    inferred: Inferred
    left_at: datetime
    type: Literal["visit_inferred"] = "visit_inferred"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class ScanAnnulled:
    """A scan was annulled, and its effects on visits were undone."""

    event_id: UUID
    gym_id: UUID
    member_id: UUID | None
    outcome: Outcome
    occupancy: int
    annulled_at: datetime
    type: Literal["scan_annulled"] = "scan_annulled"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class VisitReopened:
    """A visit continues because the scan that ended it was annulled. Its gym may differ from that scan's."""

    event_id: UUID
    gym_id: UUID
    visit_id: UUID
    member_id: UUID | None
    reopened_at: datetime
    type: Literal["visit_reopened"] = "visit_reopened"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class OfflineScanRecorded:
    """A scan that a device made without the server was uploaded. `scan` is its row."""

    event_id: UUID
    scan: UUID
    gym_id: UUID
    gate_id: UUID
    member_id: UUID | None
    outcome: Outcome
    conflict: Conflict | None
    occurred_at: datetime
    recorded_at: datetime
    type: Literal["offline_scan_recorded"] = "offline_scan_recorded"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class HeadsCounted:
    """Staff counted who is inside, and the occupancy was corrected. `event_id` is the count's row."""

    event_id: UUID
    gym_id: UUID
    before: int
    counted: int
    counted_at: datetime
    type: Literal["heads_counted"] = "heads_counted"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class MachineUsed:
    """A member began to use a machine."""

    event_id: UUID
    gym_id: UUID
    machine_id: UUID
    use_id: UUID
    started_at: datetime
    type: Literal["machine_used"] = "machine_used"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class MachineFreed:
    """A machine is free again. `inferred` is the reason when the member did not release it."""

    event_id: UUID
    gym_id: UUID
    machine_id: UUID
    use_id: UUID
    inferred: UseEnded | None
    ended_at: datetime
    type: Literal["machine_freed"] = "machine_freed"
    version: Literal[1] = 1


DoorEvent = (
    ScanDecided
    | VisitInferred
    | ScanAnnulled
    | VisitReopened
    | OfflineScanRecorded
    | HeadsCounted
    | MachineUsed
    | MachineFreed
)
