"""The service level of a gym's doors as JSON."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from deployments.http.schemas import Document


class GateLevelDocument(Document):
    """One gate."""

    gate_id: UUID
    name: str | None = Field(description="Null when no device in use is at this gate any more.")
    scans: int
    refused: int
    p50_ms: float | None
    p95_ms: float | None


class DeviceLevelDocument(Document):
    """One device in use."""

    id: UUID
    name: str
    gate_id: UUID
    gate_name: str
    last_scan_at: datetime | None = Field(description="Of the scans looked at.")
    last_seen_at: datetime | None
    clock_skew_ms: float | None = Field(
        description="Positive: its clock is fast. The way to the server counts as slow."
    )
    silent: bool = Field(description="Nothing was heard of it for a minute.")


class ServiceLevelDocument(Document):
    """The service level of a gym's doors. Times run from a scan's arrival to its decision."""

    gym_id: UUID
    since: datetime
    as_of: datetime
    scans: int = Field(description="How many were looked at, offline ones too; those have no share in the times.")
    at_most: int = Field(description="Only the newest, so many at most, are looked at.")
    limited: bool = Field(description="There were more.")
    outcomes: dict[str, int]
    reasons: dict[str, int] = Field(description="Of the refused ones.")
    p50_ms: float | None
    p95_ms: float | None
    gates: list[GateLevelDocument]
    devices: list[DeviceLevelDocument]
    silent_devices: int
