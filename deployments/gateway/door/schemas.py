"""Scans, visits and who is inside, as JSON."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document
from deployments.http.text import PARAGRAPHS
from domain.door.model import Direction, Outcome, Reason, Remedy
from domain.door.state import StoredScan


class ShownMemberDocument(Document):
    """What a gate shows of a member."""

    id: UUID
    name: str
    picture_url: str | None


class NewScan(RequestBody):
    """A scan at a gate."""

    code: str = Field(max_length=2048, description="What was read, whatever it is.")
    gate_id: UUID
    direction: Direction = Field(description="`auto`, the opposite of where the member is, only at gates of both ways.")
    scan_id: str = Field(pattern="^[!-~]{1,64}$", description="The client's own; a repeated id gets the first answer.")
    scanned_at: datetime | None = Field(default=None, description="By the device's clock. Kept, never decided upon.")


class ScanAnswerDocument(Document):
    """The answer to a scan. A refusal is an answer too."""

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
    """When a scan was undone, by whom, and why."""

    at: datetime
    by: UUID
    reason: str


class ScanDocument(ScanAnswerDocument):
    """A scan that was answered before."""

    annulled: AnnulmentDocument | None

    @classmethod
    def of(cls, scan: StoredScan) -> Self:
        """The document of a kept scan."""
        answer = ScanAnswerDocument.model_validate(scan.answer)
        annulled = scan.annulled and AnnulmentDocument.model_validate(scan.annulled)
        return cls(**dict(answer), annulled=annulled)


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


class NewAnnulment(RequestBody):
    """Why a scan is to be undone."""

    reason: Annotated[str, StringConstraints(max_length=200), PARAGRAPHS] = Field(
        default="", description="Staff must give one."
    )
    gate_id: UUID | None = Field(default=None, description="For staff, when the scan was never answered: its gate.")


class AnnulAnswerDocument(Document):
    """That a scan is undone; the same when it is asked again."""

    scan_id: str
    annulled_at: datetime
    gym_id: UUID
    occupancy: int
    capacity: int
    over_capacity: bool = Field(default=False, description="More members are inside than the gym holds.")


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
