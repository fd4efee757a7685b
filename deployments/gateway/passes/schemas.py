"""Response bodies of passes and their public keys."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from deployments.http.schemas import Document


class PassDocument(Document):
    """A code, and when it opens a gate."""

    code: str
    issued_at: datetime
    good_from: datetime
    good_until: datetime


class PassesDocument(BaseModel):
    """The current code and the codes that follow it."""

    items: list[PassDocument]


class PassKey(BaseModel):
    """A public key that verifies passes, as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class PassKeysDocument(BaseModel):
    """What a door needs to admit members while it cannot reach the server. It cannot create passes with it.

    A code is a JWT with `sub` (the member's UUID as base64url) and `iat` (when it was issued). Some codes have a third
    claim, `ttl`, which only the server honours: an offline door does not know which codes other gates have admitted, so
    it accepts such a code for `good_after_s` only.
    """

    keys: list[PassKey]
    good_before_s: int = Field(description="A code is valid from this long before its issue time.")
    good_after_s: int = Field(description="A code is valid until this long after its issue time.")
    most_admitted: int = Field(description="Maximum number of members that an offline door admits.")
