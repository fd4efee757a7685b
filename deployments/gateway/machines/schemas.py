"""Machines as they are read and written."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.gateway.schemas import Name
from deployments.http.document import Document
from deployments.http.request_body import RequestBody
from deployments.http.text import LINE, PARAGRAPHS
from domain.gyms.machines import Machine, MachineChange, MachineText

Type = Annotated[str, StringConstraints(min_length=1, max_length=50), LINE]
Description = Annotated[str, StringConstraints(max_length=4000), PARAGRAPHS]
Why = Annotated[str, StringConstraints(min_length=1, max_length=200), PARAGRAPHS]


class OutOfOrderDocument(BaseModel):
    """Since when a machine cannot be used, and why."""

    since: datetime
    reason: str


class MachineDocument(Document):
    """A machine. `number` is what the existing web client calls it, `version` what its `ETag` says."""

    id: UUID
    gym_id: UUID
    number: int
    name: str
    type: str
    description: str
    image_url: str | None = Field(description="Its picture, under an address that never shows another one.")
    in_use: bool
    free: bool = Field(description="Neither in use, nor out of order, nor out of service.")
    out_of_order: OutOfOrderDocument | None
    retired_at: datetime | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, machine: Machine) -> Self:
        """The document of a machine."""
        since = machine.out_of_order_since
        return cls(
            id=machine.id,
            gym_id=machine.gym_id,
            number=machine.legacy_number,
            name=machine.name,
            type=machine.type,
            description=machine.description,
            image_url=f"/api/images/{machine.image}" if machine.image else None,
            in_use=machine.in_use,
            free=machine.free,
            out_of_order=OutOfOrderDocument(since=since, reason=machine.out_of_order_reason or "") if since else None,
            retired_at=machine.retired_at,
            version=machine.version,
            created_at=machine.created_at,
        )


class NewMachine(RequestBody):
    """The texts of a machine to be put up; its picture comes beside them."""

    name: Name
    type: Type
    description: Description = ""

    def as_text(self) -> MachineText:
        """The same for the domain."""
        return MachineText(self.name, self.type, self.description)


class MachineEdit(RequestBody):
    """What is to be different; what is left out stays."""

    name: Name | None = None
    type: Type | None = None
    description: Description | None = None

    def as_change(self) -> MachineChange:
        """The same for the domain."""
        return MachineChange(self.name, self.type, self.description)


class OutOfOrder(RequestBody):
    """Why a machine cannot be used."""

    reason: Why


class PictureDocument(BaseModel):
    """Where a member's picture is shown."""

    picture_url: str
