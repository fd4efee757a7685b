"""Snapshots: the schemas of the OpenAPI document and their encoding."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from deployments.gateway.door.service_level_schemas import ServiceLevelDocument
from deployments.http.schemas import Document
from domain.live.model import LiveReading, TrendMinute
from domain.live.service_level import ServiceLevel


class TrendMinuteDocument(Document):
    """A minute: entries, exits, and the occupancy at its end."""

    minute: datetime
    entered: int
    left: int
    occupancy: int


class MachineCountDocument(Document):
    """Machines of one type. A machine out of order is not free."""

    free: int
    total: int


class InsideNowDocument(Document):
    """Somebody who is inside; without a name if added by a head count."""

    visit_id: UUID
    member_id: UUID | None
    name: str | None
    since: datetime
    gate_name: str | None


class SnapshotDocument(Document):
    """The current state of a gym."""

    gym_id: UUID
    occupancy: int
    capacity: int
    as_of: datetime = Field(description="When this was read.")
    trend: list[TrendMinuteDocument] = Field(description="The last 60 minutes; the current minute is last.")
    free_machines: dict[str, MachineCountDocument] = Field(description="By type.")
    degraded: bool = Field(description="Updates are late, because Kafka or the gym service is unavailable.")

    @classmethod
    def of(cls, reading: LiveReading, trend: Sequence[TrendMinute], *, degraded: bool) -> Self:
        """Convert a reading."""
        return cls.model_validate(_said(reading, trend, degraded=degraded))


class StaffSnapshotDocument(SnapshotDocument):
    """The state for staff, with names and the service level of the doors."""

    inside: list[InsideNowDocument] = Field(description="The first 200, oldest visit first.")
    inside_count: int = Field(description="How many are inside, named or not.")
    service: ServiceLevelDocument | None = Field(
        description="Of the last 15 minutes; null until it was read for the first time."
    )

    @classmethod
    def for_staff(
        cls, reading: LiveReading, trend: Sequence[TrendMinute], service: ServiceLevel | None, *, degraded: bool
    ) -> Self:
        """Convert a reading for staff."""
        said = _said(reading, trend, degraded=degraded)
        named = {"inside": reading.inside or (), "inside_count": reading.occupancy, "service": service}
        return cls.model_validate(said | named)


def _said(reading: LiveReading, trend: Sequence[TrendMinute], *, degraded: bool) -> dict[str, object]:
    return {
        "gym_id": reading.gym_id,
        "occupancy": reading.occupancy,
        "capacity": reading.capacity,
        "as_of": reading.as_of,
        "trend": trend,
        "free_machines": reading.free_machines,
        "degraded": degraded,
    }


def encoded(document: SnapshotDocument) -> bytes:
    """JSON in one line."""
    return document.model_dump_json().encode()
