"""Scans, visits and who is inside, as JSON."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import Field

from deployments.http.schemas import Document
from deployments.qr.scan_schemas import ScanDocument
from domain.door.model import Direction
from domain.door.state import StoredScan


class ListedScan(ScanDocument):
    """A scan as staff see it. `id` is the row's own, `scan_id` the client's."""

    id: UUID
    asked_by: UUID
    gate_id: UUID | None
    direction: Direction | None
    scanned_at: datetime | None
    arrived_at: datetime

    @classmethod
    def of(cls, scan: StoredScan) -> Self:
        """The document of a kept scan."""
        return cls(
            **dict(ScanDocument.of(scan)),
            id=scan.id,
            asked_by=scan.asked_by,
            gate_id=scan.gate_id,
            direction=scan.direction,
            scanned_at=scan.scanned_at,
            arrived_at=scan.arrived_at,
        )


class VisitDocument(Document):
    """One stay at a gym. `inferred` tells why it ended without a scan of its own."""

    id: UUID
    gym_id: UUID
    gym_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None


class InsideDocument(Document):
    """Somebody who is inside; `member_id` and `name` are null of one added by a head count."""

    visit_id: UUID
    member_id: UUID | None
    name: str | None
    since: datetime
    gate_id: UUID | None
    gate_name: str | None
    over_capacity: bool = Field(description="More members are inside than the gym holds; the same of everybody.")
