"""The local provider's tokens: Cognito's claims, RS256."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from jwt import PyJWS

from domain.clock import Clock, system_clock
from integrations.local_identity.keys import ALGORITHM, signing_key
from integrations.settings import Settings

_jws = PyJWS(algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom tokens speak of, and since when.

    Args:
        session_id: `origin_jti`, the same in all tokens of one sign-in.
        auth_time: when the password was given, in seconds since 1970; now where it is None.
    """

    sub: UUID
    email: str | None
    name: str
    groups: tuple[str, ...]
    session_id: UUID = field(default_factory=uuid4)
    auth_time: int | None = None


def mint_access_token(
    settings: Settings,
    *,
    sub: UUID,
    email: str | None,
    groups: Iterable[str],
    lifetime: timedelta,
    clock: Clock = system_clock,
) -> str:
    """An access token of a session of its own.

    Args:
        settings: name the key's folder, the issuer and the client.
        sub: the user's id.
        email: as a pre-token-generation trigger adds it at Cognito.
        groups: the user's groups, which are the names of roles.
        lifetime: from now on.
        clock: the present.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    subject = Subject(sub, email, "", tuple(groups))
    return access_token(settings, subject, lifetime, clock)


def access_token(settings: Settings, subject: Subject, lifetime: timedelta, clock: Clock) -> str:
    """An access token; name and address are in it as the trigger `assign_default_role` adds them at Cognito.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    own: dict[str, Any] = {
        "client_id": settings.identity.client_id,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "username": str(subject.sub),  # as in a user pool whose users sign in by email
    }
    return _signed(settings, subject, own, lifetime, clock)


def id_token(settings: Settings, subject: Subject, lifetime: timedelta, clock: Clock) -> str:
    """An ID token.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    own: dict[str, Any] = {
        "aud": settings.identity.client_id,
        "token_use": "id",
        "cognito:username": str(subject.sub),
        "email_verified": True,
    }
    return _signed(settings, subject, own, lifetime, clock)


def _signed(settings: Settings, subject: Subject, own: dict[str, Any], lifetime: timedelta, clock: Clock) -> str:
    key_id, key = signing_key(settings)
    now = int(clock().timestamp())
    claims = {
        "sub": str(subject.sub),
        "cognito:groups": sorted(subject.groups),
        "iss": settings.identity.issuer,
        "origin_jti": str(subject.session_id),
        "auth_time": now if subject.auth_time is None else subject.auth_time,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
        "jti": str(uuid4()),
        **({"email": subject.email} if subject.email else {}),
        **({"name": subject.name} if subject.name else {}),
        **own,
    }
    return _jws.encode(msgspec.json.encode(claims), key, algorithm=ALGORITHM, headers={"kid": key_id, "typ": None})
