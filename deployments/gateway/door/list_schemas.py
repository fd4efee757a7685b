"""The JSON of visits, head counts, conflicts and the use of machines."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from deployments.http.request_body import RequestBody
from deployments.http.schemas import Document
from deployments.http.text import PARAGRAPHS
from domain.door.model import Conflict, Direction, Outcome

MOST_COUNTED = 100_000
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=200), PARAGRAPHS]
_OwnId = Annotated[str, StringConstraints(pattern="^[!-~]{1,64}$")]


class GymVisitDocument(Document):
    """A visit as staff see it. `member_id` and `gate_id` are null if a head count added it."""

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    member_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None = Field(
        description="The rule that ended the visit without an exit scan; its duration is then unknown."
    )


class NewHeadCount(RequestBody):
    """A head count."""

    counted: int = Field(ge=0, le=MOST_COUNTED)
    reason: _Reason = Field(description="What led to the count.")
    count_id: _OwnId | None = Field(
        default=None, description="An id that the client chooses. A repeated id changes nothing."
    )


class HeadCountAnswerDocument(Document):
    """What a head count changed: the oldest visits that it ended, or the visits without a name that it added."""

    count_id: str
    gym_id: UUID
    counted: int
    before: int
    closed: int
    added: int
    occupancy: int
    capacity: int
    counted_at: datetime
    replayed: bool


class HeadCountDocument(Document):
    """A recorded head count."""

    id: UUID
    gym_id: UUID
    by_id: UUID
    by_name: str | None
    counted: int
    before: int
    closed: int
    added: int
    reason: str
    counted_at: datetime


class ConflictDocument(Document):
    """An offline scan that conflicts with what the server knows. The scan is recorded."""

    id: UUID
    gym_id: UUID
    kind: Conflict
    found_at: datetime
    scan_id: str
    asked_by: UUID
    gate_id: UUID | None
    outcome: Outcome
    direction: Direction | None
    member_id: UUID | None
    member_name: str | None
    occurred_at: datetime
    annulled: bool
    settled_at: datetime | None
    settled_by: UUID | None
    note: str | None


class Settlement(RequestBody):
    """What staff found out about a conflict."""

    note: _Reason
