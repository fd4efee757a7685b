"""What the door tells the rest of the system, on `gym-events`, keyed by gym."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from domain.door.model import Inferred, Outcome, Reason

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
    """A visit was ended without a scan of its own; its gym may be another than where the member is now."""

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
    """A scan was undone; what it opened or ended is as if it had not been."""

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
    """A visit goes on because the scan that ended it was annulled; its gym may be another than that scan's."""

    event_id: UUID
    gym_id: UUID
    visit_id: UUID
    member_id: UUID | None
    reopened_at: datetime
    type: Literal["visit_reopened"] = "visit_reopened"
    version: Literal[1] = 1


DoorEvent = ScanDecided | VisitInferred | ScanAnnulled | VisitReopened
