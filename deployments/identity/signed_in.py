"""The result of a sign-in: the tokens, and the claims of the ID token."""

from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from domain.identity.model import Caller, Tokens, User


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The result of a sign-in or a refresh.

    Args:
        device_cookie: identifies the device at its next sign-in; empty: the device keeps the cookie it has.
    """

    tokens: Tokens = field(repr=False)
    user: User
    session_id: UUID
    device_cookie: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """An authorization code of the local provider, with a device cookie as in `SignedIn`."""

    code: str = field(repr=False)
    device_cookie: str = field(repr=False)


class _IdTokenClaims(msgspec.Struct, frozen=True):
    sub: UUID
    origin_jti: UUID
    iat: float
    exp: float
    email: str | None = None
    name: str | None = None
    groups: list[str] = msgspec.field(name="cognito:groups", default_factory=list)


_decoder = msgspec.json.Decoder(_IdTokenClaims, strict=False)


def caller_of(tokens: Tokens) -> Caller:
    """The caller that an ID token names.

    The signature is not verified, because the token comes directly from the provider
    (OpenID Connect Core 1.0 section 3.1.3.7, point 6).

    Raises:
        msgspec.DecodeError: the token is not an ID token of a user pool.
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
