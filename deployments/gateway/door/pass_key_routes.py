"""The public keys of passes, for devices that verify passes while they are offline."""

from datetime import timedelta
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from deployments.gateway.dependencies import OfParts
from deployments.http.route_guard import guarded_router
from domain.passes import GOOD_AFTER, GOOD_BEFORE


class PassKey(BaseModel):
    """A public key of the passes, as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: str
    x: str


class PassKeysDocument(BaseModel):
    """What a device needs to verify passes while it is offline. It cannot create passes with it.

    A code is a JWT of `sub` (the member's UUID as base64url) and `iat` (when it was issued). Some have a third claim,
    `ttl`, which only the server honours: a door that cannot ask what other gates have admitted takes them for
    `good_after_s`.
    """

    keys: list[PassKey]
    good_before_s: int = Field(description="A code is valid from this many seconds before its issue time.")
    good_after_s: int = Field(description="A code is valid until this many seconds after its issue time.")
    most_admitted: int = Field(description="Maximum number of members that an offline door admits.")


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get("/pass-keys")
    async def pass_keys(parts: OfParts) -> PassKeysDocument:
        """What a device stores for the time in which it cannot reach the server. Keys rotate: read them regularly."""
        keys = await parts.qr.public_keys()
        return PassKeysDocument(
            keys=[PassKey(kid=key_id, x=key) for key_id, key in keys.items()],
            good_before_s=GOOD_BEFORE // timedelta(seconds=1),
            good_after_s=GOOD_AFTER // timedelta(seconds=1),
            most_admitted=parts.settings.door.most_admitted_offline,
        )

    return routes
