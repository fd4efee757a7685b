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
    """What a door needs to let members in without the server; it mints nothing.

    A code is a JWT of `sub` (the member's UUID as base64url) and `iat` (when it was issued). Some have a third claim,
    `ttl`, which only the server honours: a door that cannot ask what other gates have admitted takes them for
    `good_after_s`.
    """

    keys: list[PassKey]
    good_before_s: int = Field(description="A code is good from so long before its issue time.")
    good_after_s: int = Field(description="And until so long after it.")
    most_admitted: int = Field(description="So many members a door may let in on its own.")


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get("/pass-keys")
    async def pass_keys(parts: OfParts) -> PassKeysDocument:
        """What a door keeps at hand for the time in which it cannot reach the server. Keys rotate: ask now and then."""
        keys = await parts.qr.public_keys()
        return PassKeysDocument(
            keys=[PassKey(kid=key_id, x=key) for key_id, key in keys.items()],
            good_before_s=GOOD_BEFORE // timedelta(seconds=1),
            good_after_s=GOOD_AFTER // timedelta(seconds=1),
            most_admitted=parts.settings.door.most_admitted_offline,
        )

    return routes
