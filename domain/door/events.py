"""Events of the door, published on `gym-events` with the gym as the key.

A field with the default None was added later: messages that an older version wrote do not have it. Each event that
changes a scan, a visit or a use of a machine carries its whole new state, for the attendance archive.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.door.machine_model import UseEnded
from domain.door.model import Conflict, Inferred, Outcome, Reason

TOPIC = "gym-events"


@dataclass(frozen=True, slots=True)
class ScanDecided:
    """A scan was decided, refusals included.

    Args:
        event_id: the scan's row.
        occupancy: of the gym, just after.
        scanned_at: by the device's clock.
        repeat: whether the answer of an earlier scan was given again.
        entered_at: when the visit began that this scan began or ended; None: it did neither.
    """

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
    scanned_at: datetime | None = None
    repeat: bool | None = None
    entered_at: datetime | None = None
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
    entered_at: datetime | None = None
    type: Literal["visit_inferred"] = "visit_inferred"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class VisitChanged:
    """A visit has this state now. Published for changes that no scan at a gate and no rule explains.

    Such as an anonymous visit that a head count adds, or a visit that is computed again after an upload or an
    annulment.

    Args:
        was_entered_at: when it had begun until now; None: at the same time, or the visit is new.
    """

    event_id: UUID
    gym_id: UUID
    visit_id: UUID
    member_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: Inferred | None
    annulled: bool
    changed_at: datetime
    was_entered_at: datetime | None = None
    type: Literal["visit_changed"] = "visit_changed"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class ScanState:
    """A scan as it is stored.

    Args:
        id: the scan's row.
        scanned_at: by the device's clock; of an offline scan the time when it was made, which its code bounds.
    """

    id: UUID
    gate_id: UUID | None
    member_id: UUID | None
    outcome: Outcome
    reason: Reason | None
    offline: bool
    scanned_at: datetime | None
    arrived_at: datetime
    decided_at: datetime
    visit_id: UUID | None
    repeat: bool
    annulled: bool


@dataclass(frozen=True, slots=True)
class ScanChanged:
    """A scan belongs to another visit now, because the member's visits were computed again."""

    event_id: UUID
    gym_id: UUID
    scan: ScanState
    changed_at: datetime
    type: Literal["scan_changed"] = "scan_changed"
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
    scan: ScanState | None = None
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
    entered_at: datetime | None = None
    type: Literal["visit_reopened"] = "visit_reopened"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class OfflineScanRecorded:
    """A scan that a device made without the server was uploaded.

    Args:
        scan: its row.
        visit_id: the visit that it began, joined or ended.
        annulled: whether it was annulled before it arrived.
        was_decided_at: when a gate had refused the same scan.
    """

    event_id: UUID
    scan: UUID
    gym_id: UUID
    gate_id: UUID
    member_id: UUID | None
    outcome: Outcome
    conflict: Conflict | None
    occurred_at: datetime
    recorded_at: datetime
    arrived_at: datetime | None = None
    visit_id: UUID | None = None
    annulled: bool | None = None
    was_decided_at: datetime | None = None
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
    member_id: UUID | None = None
    type: Literal["machine_used"] = "machine_used"
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class MachineUseResumed:
    """A use continues, because the end of its visit was undone."""

    event_id: UUID
    gym_id: UUID
    machine_id: UUID
    use_id: UUID
    member_id: UUID | None
    started_at: datetime
    resumed_at: datetime
    type: Literal["machine_use_resumed"] = "machine_use_resumed"
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
    member_id: UUID | None = None
    started_at: datetime | None = None
    type: Literal["machine_freed"] = "machine_freed"
    version: Literal[1] = 1


DoorEvent = (
    ScanDecided
    | VisitInferred
    | VisitChanged
    | ScanChanged
    | ScanAnnulled
    | VisitReopened
    | OfflineScanRecorded
    | HeadsCounted
    | MachineUsed
    | MachineUseResumed
    | MachineFreed
)
