"""The shapes of visits, head counts, conflicts, machines in use, and uploads of a door that was cut off."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, WithJsonSchema

from deployments.gateway.documents import Document
from deployments.gateway.request_body import RequestBody
from deployments.gateway.text import PARAGRAPHS
from domain.door.machine_model import UseOutcome, UseReason
from domain.door.model import Conflict, Direction, Outcome

MOST_IN_AN_UPLOAD = 100
MOST_COUNTED = 100_000
_Reason = Annotated[str, StringConstraints(min_length=1, max_length=200), PARAGRAPHS]
_OwnId = Annotated[str, StringConstraints(pattern="^[!-~]{1,64}$")]


class GymVisitDocument(Document):
    """A visit as staff see it; without member or gate where a head count has added it."""

    id: UUID
    gym_id: UUID
    member_id: UUID | None
    member_name: str | None
    gate_id: UUID | None
    entered_at: datetime
    left_at: datetime | None
    inferred: str | None = Field(
        description="Why it ended without a scan of its own; such a visit tells no dwell time."
    )


class NewHeadCount(RequestBody):
    """How many were seen."""

    counted: int = Field(ge=0, le=MOST_COUNTED)
    reason: _Reason = Field(description="What led to the count.")
    count_id: _OwnId | None = Field(default=None, description="The client's own; a repeated one changes nothing.")


class HeadCountAnswerDocument(Document):
    """What a head count has changed: the oldest visits that it ended, or those without a name that it added."""

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
    """A head count that was taken in."""

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
    """A scan made without the server that does not fit. Nothing was dropped: it is recorded."""

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
    """What staff have found out."""

    note: _Reason


class NewMachineRequest(RequestBody):
    """A wish about a machine."""

    request_id: _OwnId | None = Field(
        default=None, description="The client's own; a repeated one gets the first answer."
    )


class MachineAnswerDocument(Document):
    """The answer to a wish about a machine. A refusal is an answer too."""

    request_id: str
    outcome: UseOutcome
    reason: UseReason | None
    machine_id: UUID
    member_id: UUID
    gym_id: UUID
    use_id: UUID | None
    decided_at: datetime
    replayed: bool


class PassKey(BaseModel):
    """A public key of the passes, as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class PassKeysDocument(BaseModel):
    """What a door needs to let members in without the server; it mints nothing.

    A code is a JWT of `sub` (the member's UUID as base64url) and `iat` (when it was issued).
    """

    keys: list[PassKey]
    good_before_s: int = Field(description="A code is good from so long before its issue time.")
    good_after_s: int = Field(description="And until so long after it.")
    most_admitted: int = Field(description="So many members a door may let in on its own.")


class NewOfflineScan(RequestBody):
    """A scan that a device made while it could not reach the server."""

    code: str = Field(max_length=2048, description="What was read, whatever it is.")
    gate_id: UUID
    direction: Literal["enter", "leave"] = Field(description="What the device did: it let somebody in, or out.")
    scan_id: str = Field(pattern="^[!-~]{1,64}$", description="The client's own; a repeated id gets the first answer.")
    scanned_at: datetime = Field(
        description="By the device's clock; believed within the time in which the code was good."
    )


class OfflineUpload(RequestBody):
    """What a device has kept, in any order; what was uploaded before may be among it."""

    scans: Annotated[
        list[Any],
        Field(min_length=1, max_length=MOST_IN_AN_UPLOAD),
        WithJsonSchema(
            {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_IN_AN_UPLOAD,
                "items": NewOfflineScan.model_json_schema(),
            }
        ),
    ]


class UploadStatus(StrEnum):
    """What became of one scan of an upload."""

    RECORDED = "recorded"
    QUEUED = "queued"  # it will be recorded; its conflict is not known yet
    NOT_TAKEN = "not_taken"  # send it again
    SCAN_ID_REUSED = "scan_id_reused"
    UNKNOWN_GATE = "unknown_gate"
    GATE_OF_ANOTHER_GYM = "gate_of_another_gym"
    INVALID = "invalid"


class UploadedScan(BaseModel):
    """What became of one scan of an upload; `recorded` and `queued` need not be sent again."""

    scan_id: str | None
    status: UploadStatus
    conflict: Conflict | None = None
    occurred_at: datetime | None = None
    replayed: bool = False
    detail: str | None = None


class UploadDocument(BaseModel):
    """What became of an upload, scan by scan, in its order."""

    items: list[UploadedScan]
