"""The shapes of uploads of a door that was cut off, and of the keys by which it reads passes itself."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from deployments.qr.scan_bodies import EARLIEST, LATEST, MAX_CODE_LENGTH, MOST_IN_AN_UPLOAD
from domain.door.model import Conflict


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

    A code is a JWT of `sub` (the member's UUID as base64url) and `iat` (when it was issued). Some have a third claim,
    `ttl`, which only the server honours: a door that cannot ask what other gates have admitted takes them for
    `good_after_s`.
    """

    keys: list[PassKey]
    good_before_s: int = Field(description="A code is good from so long before its issue time.")
    good_after_s: int = Field(description="And until so long after it.")
    most_admitted: int = Field(description="So many members a door may let in on its own.")


class NewOfflineScan(BaseModel):
    """A scan that a device made while it could not reach the server."""

    code: str = Field(max_length=MAX_CODE_LENGTH, description="What was read, whatever it is.")
    gate_id: UUID
    direction: Literal["enter", "leave"] = Field(description="What the device did: it let somebody in, or out.")
    scan_id: str = Field(pattern="^[!-~]{1,64}$", description="The client's own; a repeated id gets the first answer.")
    scanned_at: datetime = Field(
        description="By the device's clock, with its zone, "
        f"within the years {EARLIEST.year} to {LATEST.year - 1}; believed within the time in which the code was good."
    )


UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "What a device has kept, in any order; what was uploaded before may be among it.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["scans"],
                    "properties": {
                        "scans": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_IN_AN_UPLOAD,
                            "items": NewOfflineScan.model_json_schema(),
                        }
                    },
                }
            }
        },
    }
}
"""Of the OpenAPI document. The elements are read one by one, see `scan_bodies`."""


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
