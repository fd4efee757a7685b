"""The local provider's tokens: RS256 with Cognito's claims."""

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
    """The user and session of a token.

    Args:
        session_id: `origin_jti`, the same in all tokens of one sign-in.
        auth_time: time of the sign-in, in seconds since 1970; None: now.
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
    """Create an access token of a new session.

    Args:
        settings: key folder, issuer and client.
        sub: the user's id.
        email: added as Cognito's pre-token-generation trigger does.
        groups: the user's groups, which are role names.
        lifetime: from now on.
        clock: current time.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    subject = Subject(sub, email, "", tuple(groups))
    return access_token(settings, subject, lifetime, clock)


def access_token(settings: Settings, subject: Subject, lifetime: timedelta, clock: Clock) -> str:
    """Create an access token. It contains name and address, as the trigger `assign_default_role` adds them at Cognito.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    token_claims: dict[str, Any] = {
        "client_id": settings.identity.client_id,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin",
        "username": str(subject.sub),  # as in a user pool whose users sign in by email
    }
    return _signed(settings, subject, token_claims, lifetime, clock)


def id_token(settings: Settings, subject: Subject, lifetime: timedelta, clock: Clock) -> str:
    """Create an ID token.

    Raises:
        NoLocalIdentityError: there is no local provider, or it has no key.
    """
    token_claims: dict[str, Any] = {
        "aud": settings.identity.client_id,
        "token_use": "id",
        "cognito:username": str(subject.sub),
        "email_verified": True,
    }
    return _signed(settings, subject, token_claims, lifetime, clock)


def _signed(
    settings: Settings, subject: Subject, token_claims: dict[str, Any], lifetime: timedelta, clock: Clock
) -> str:
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
        **token_claims,
    }
    return _jws.encode(msgspec.json.encode(claims), key, algorithm=ALGORITHM, headers={"kid": key_id, "typ": None})
