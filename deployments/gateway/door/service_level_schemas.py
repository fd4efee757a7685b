"""The service level of a gym's doors as JSON."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from deployments.http.schemas import Document


class GateLevelDocument(Document):
    """The service level of a gate."""

    gate_id: UUID
    name: str | None = Field(description="Null if the gate has no active device any more.")
    scans: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None


class DeviceLevelDocument(Document):
    """An active device."""

    id: UUID
    name: str
    gate_id: UUID
    gate_name: str
    last_scan_at: datetime | None = Field(description="Time of its latest scan in this report.")
    last_seen_at: datetime | None
    clock_skew_ms: float | None = Field(
        description="Positive: its clock is fast. The network delay makes it look slow."
    )
    silent: bool = Field(description="No request of the device arrived for one minute.")


class ServiceLevelDocument(Document):
    """The service level of a gym's doors. Times run from a scan's arrival to its decision."""

    gym_id: UUID
    since: datetime
    as_of: datetime
    scans: int = Field(description="Number of scans in this report. Offline scans are counted, but not in the times.")
    at_most: int = Field(description="Maximum number of scans in this report; the newest are used.")
    limited: bool = Field(description="There were more scans than the maximum.")
    outcomes: dict[str, int]
    reasons: dict[str, int] = Field(description="Refused scans by reason.")
    p50_ms: float | None
    p95_ms: float | None
    gates: list[GateLevelDocument]
    devices: list[DeviceLevelDocument]
    silent_devices: int
