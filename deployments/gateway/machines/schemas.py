"""Request and response bodies of machines."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document, Name, Reason
from deployments.http.text import LINE, PARAGRAPHS
from domain.door.machine_model import UseOutcome, UseReason
from domain.machines.model import Machine, MachineChange, MachineText

Type = Annotated[str, StringConstraints(min_length=1, max_length=50), LINE]
Description = Annotated[str, StringConstraints(max_length=4000), PARAGRAPHS]


class OutOfOrderDocument(BaseModel):
    """When a machine broke, and how."""

    since: datetime
    reason: str


class MachineDocument(Document):
    """A machine. `number` is its id in the existing web client; `version` is its `ETag`."""

    id: UUID
    gym_id: UUID
    number: int
    name: str
    type: str
    description: str
    image_url: str | None = Field(description="Address of the picture. Another picture gets another address.")
    in_use: bool
    free: bool = Field(description="Neither in use, nor out of order, nor retired.")
    out_of_order: OutOfOrderDocument | None
    retired_at: datetime | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, machine: Machine) -> Self:
        """Convert a machine."""
        since = machine.out_of_order_since
        return cls.copy_of(
            machine,
            number=machine.legacy_number,
            image_url=f"/api/images/{machine.image}" if machine.image else None,
            out_of_order=OutOfOrderDocument(since=since, reason=machine.out_of_order_reason or "") if since else None,
        )


class NewMachine(RequestBody):
    """The text parts of a machine to create; its picture is another part of the same form."""

    name: Name
    type: Type
    description: Description = ""

    def as_text(self) -> MachineText:
        """The texts as a domain value."""
        return MachineText(self.name, self.type, self.description)


class MachineEdit(RequestBody):
    """Changes of a machine; a field that is left out stays as it is."""

    name: Name | None = None
    type: Type | None = None
    description: Description | None = None

    def as_change(self) -> MachineChange:
        """The changes as a domain value."""
        return MachineChange(self.name, self.type, self.description)


class OutOfOrder(RequestBody):
    """Why a machine is out of order."""

    reason: Reason


class NewMachineRequest(RequestBody):
    """A request to use or release a machine."""

    request_id: Annotated[str, StringConstraints(pattern="^[!-~]{1,64}$")] | None = Field(
        default=None, description="An id of the client. A repeated request with the same id gets the first answer."
    )


class MachineAnswerDocument(Document):
    """The decision about a request to use or release a machine. A refusal is a decision too."""

    request_id: str
    outcome: UseOutcome
    reason: UseReason | None
    machine_id: UUID
    member_id: UUID
    gym_id: UUID
    use_id: UUID | None
    decided_at: datetime
    replayed: bool
