"""What is read and written as JSON; the shapes of the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, Field, StringConstraints

from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import LINE
from deployments.qr.scan_schemas import ScanDocument
from domain.door.model import Direction
from domain.door.queries import KeptScan
from domain.gyms.model import NewDevice, Serves
from domain.identity.model import Role

Name = Annotated[str, StringConstraints(min_length=1, max_length=100), LINE]


class ListedScan(ScanDocument):
    """A scan as staff see it. `id` is the row's own, `scan_id` the client's."""

    id: UUID
    asked_by: UUID
    gate_id: UUID | None
    direction: Direction | None
    scanned_at: datetime | None
    arrived_at: datetime

    @classmethod
    def of(cls, scan: KeptScan) -> Self:
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


class MeDocument(Document):
    """Whoever asks."""

    id: UUID
    email: str | None = Field(description="Null: none that can be used.")
    name: str
    picture_url: str | None
    roles: list[Role]
    created_at: datetime


class PassDocument(Document):
    """One code and when it opens a gate."""

    code: str
    issued_at: datetime
    good_from: datetime
    good_until: datetime


class PassesDocument(BaseModel):
    """The present code and those that follow it."""

    items: list[PassDocument]


class VisitDocument(Document):
    """One stay at a gym. `inferred` tells why it ended without a scan of its own."""

    id: UUID
    gym_id: UUID
    gym_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None


class GymDocument(Document):
    """A gym. Times in seconds; `number` is what the existing web client calls it, `version` what its `ETag` says."""

    id: UUID
    number: int = Field(validation_alias=AliasChoices("number", "legacy_number"))
    name: str
    address: str
    time_zone: str
    capacity: int
    reentry_after_s: int | None
    grace_after_closing_s: int
    longest_visit_s: int
    longest_use_s: int
    retired_at: datetime | None
    version: int


class OccupancyDocument(BaseModel):
    """How many are inside, and how many may be."""

    gym_id: UUID
    occupancy: int
    capacity: int
    as_of: datetime


class InsideDocument(Document):
    """Somebody who is inside; `member_id` and `name` are null of one added by a head count."""

    visit_id: UUID
    member_id: UUID | None
    name: str | None
    since: datetime
    gate_id: UUID | None
    gate_name: str | None
    over_capacity: bool = Field(description="More members are inside than the gym holds; the same of everybody.")


class NewGate(RequestBody):
    """A gate to be set up."""

    name: Name
    serves: Serves


class GateDocument(Document):
    """A way into or out of a gym. `version` is what its `ETag` says."""

    id: UUID
    gym_id: UUID
    name: str
    serves: Serves
    created_at: datetime
    version: int


class NewDeviceDocument(RequestBody):
    """A device to be set up."""

    name: Name


class DeviceDocument(Document):
    """A scanner at a gate. `last_seen_at` is some seconds late; `clock_skew_ms` is positive of a fast clock."""

    id: UUID
    gate_id: UUID
    name: str
    created_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None
    clock_skew_ms: int | None


class CreatedDevice(DeviceDocument):
    """A scanner just set up, with its credential, which is shown this once."""

    credential: str = Field(description="Goes into `Authorization: Device <credential>`.")

    @classmethod
    def of(cls, made: NewDevice) -> Self:
        """The document of a new device."""
        return cls(**dict(DeviceDocument.model_validate(made.device)), credential=made.credential)


class PartDocument(BaseModel):
    """One part of the system; `latency_ms` is how long it took to say so. Without one not `required` doors go on."""

    ok: bool
    latency_ms: float
    required: bool


class ReadyDocument(BaseModel):
    """Whether scans can be answered now."""

    ready: bool
    parts: dict[str, PartDocument]


class AliveDocument(BaseModel):
    """That this process answers."""

    alive: bool


class VersionDocument(BaseModel):
    """What is running."""

    version: str
