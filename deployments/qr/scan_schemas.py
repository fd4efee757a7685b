"""The JSON answers of the calls about scans, as the OpenAPI document names them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document
from deployments.http.text import PARAGRAPHS
from domain.door.model import Conflict, Outcome, Reason, Remedy
from domain.door.state import StoredScan


class ShownMemberDocument(Document):
    """What a gate shows of a member."""

    id: UUID
    name: str
    picture_url: str | None


class ScanAnswerDocument(Document):
    """The answer to a scan, also to a refused one."""

    scan_id: str
    outcome: Outcome
    reason: Reason | None
    remedy: Remedy | None
    member: ShownMemberDocument | None
    gym_id: UUID
    occupancy: int
    capacity: int
    decided_at: datetime
    replayed: bool


class AnnulmentDocument(Document):
    """When a scan was annulled, by whom, and why."""

    at: datetime
    by: UUID
    reason: str


class ScanDocument(ScanAnswerDocument):
    """A scan that was answered before."""

    annulled: AnnulmentDocument | None

    @classmethod
    def of(cls, scan: StoredScan) -> Self:
        """Convert a stored scan."""
        answer = ScanAnswerDocument.model_validate(scan.answer)
        annulled = scan.annulled and AnnulmentDocument.model_validate(scan.annulled)
        return cls(**dict(answer), annulled=annulled)


class NewAnnulment(RequestBody):
    """Why a scan is annulled."""

    reason: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = Field(
        default="", description="Required for staff."
    )
    gate_id: UUID | None = Field(
        default=None, description="The gate of the scan. Staff must name it if the scan was never answered."
    )


class AnnulAnswerDocument(Document):
    """The scan is annulled. A repeated call gets the same answer."""

    scan_id: str
    annulled_at: datetime
    gym_id: UUID
    occupancy: int
    capacity: int
    over_capacity: bool = Field(default=False, description="More members are inside than the capacity.")


class UploadStatus(StrEnum):
    """The result of one scan of an upload."""

    RECORDED = "recorded"
    QUEUED = "queued"  # it will be recorded; its conflict is not known yet
    NOT_TAKEN = "not_taken"  # send it again
    SCAN_ID_REUSED = "scan_id_reused"
    UNKNOWN_GATE = "unknown_gate"
    GATE_OF_ANOTHER_GYM = "gate_of_another_gym"
    INVALID = "invalid"


class UploadedScan(BaseModel):
    """The result of one scan of an upload. Do not send `recorded` and `queued` scans again."""

    scan_id: str | None
    status: UploadStatus
    conflict: Conflict | None = None
    occurred_at: datetime | None = None
    replayed: bool = False
    detail: str | None = None


class UploadDocument(BaseModel):
    """The results of an upload, in the order of its scans."""

    items: list[UploadedScan]
