"""What tokens say that the provider has just handed over."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from domain.identity.model import Caller, Tokens, User


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A sign-in, or one that was refreshed.

    Args:
        device_cookie: what the device is known by from now on; empty: no new one.
    """

    tokens: Tokens = field(repr=False)
    user: User
    session_id: UUID
    device_cookie: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Authorized:
    """What the local provider's own page gives: an authorization code, and a device cookie as of `SignedIn`."""

    code: str = field(repr=False)
    device_cookie: str = field(repr=False)


class _Claims(msgspec.Struct, frozen=True):
    sub: UUID
    origin_jti: UUID
    iat: float
    exp: float
    email: str | None = None
    name: str | None = None
    groups: list[str] = msgspec.field(name="cognito:groups", default_factory=list)


_decoder = msgspec.json.Decoder(_Claims, strict=False)


def caller_of(tokens: Tokens) -> Caller:
    """Whom an ID token speaks of.

    Its signature is not looked at: it comes from the provider itself, over a connection of our own
    (OpenID Connect Core 1.0 section 3.1.3.7, point 6).

    Raises:
        msgspec.DecodeError: it is no ID token of a user pool.
    """
    payload = tokens.id_token.split(".")[1]
    claims = _decoder.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return Caller(
        user_id=claims.sub,
        groups=tuple(claims.groups),
        session_id=claims.origin_jti,
        issued_at=datetime.fromtimestamp(claims.iat, UTC),
        expires_at=datetime.fromtimestamp(claims.exp, UTC),
        email=claims.email,
        name=claims.name,
    )
