"""Secrets of the local provider that are good once: refresh tokens and authorization codes."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from domain.identity.pkce import challenge_of
from integrations.local_identity.tables import authorization_codes, refresh_tokens

_AUTHORIZATION_CODE_LIVES = timedelta(seconds=60)  # RFC 6749 section 4.1.2 advises minutes at most


class Refreshable(NamedTuple):
    """A session that may go on."""

    sub: UUID
    session_id: UUID
    auth_time: int


class Authorized(NamedTuple):
    """What an authorization code stands for."""

    sub: UUID
    session_id: UUID


class Codes:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def new_refresh_token(self, session: Refreshable, lifetime: timedelta) -> str:
        """A refresh token of a session."""
        self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.expires_at <= self._now))
        token = secrets.token_urlsafe(32)
        self._connection.execute(
            insert(refresh_tokens).values(
                token_hash=_hash(token),
                session_id=session.session_id,
                sub=session.sub,
                auth_time=session.auth_time,
                spent=False,
                expires_at=self._now + lifetime,
            )
        )
        return token

    def spend_refresh_token(self, token: str) -> Refreshable | None:
        """The session of a token, which is good no longer. A spent one was stolen, or its successor was: all end."""
        row = self._connection.execute(
            select(refresh_tokens).where(refresh_tokens.c.token_hash == _hash(token))
        ).one_or_none()
        if row is None or row.expires_at <= self._now:
            return None
        if row.spent:
            self.end_session(row.session_id)
            return None
        self._connection.execute(
            update(refresh_tokens).where(refresh_tokens.c.token_hash == row.token_hash).values(spent=True)
        )
        return Refreshable(row.sub, row.session_id, row.auth_time)

    def session_of(self, token: str) -> UUID | None:
        """The session that a refresh token belongs to."""
        session_id: UUID | None = self._connection.execute(
            select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == _hash(token))
        ).scalar_one_or_none()
        return session_id

    def end_session(self, session_id: UUID) -> None:
        """Make every refresh token of a session worthless."""
        self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id == session_id))

    def end_sessions(self, sub: UUID) -> None:
        """Make every refresh token of an account worthless, and what could still become one."""
        self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.sub == sub))
        unused = (authorization_codes.c.sub == sub, authorization_codes.c.session_id.is_(None))
        self._connection.execute(delete(authorization_codes).where(*unused))

    def new_authorization_code(self, sub: UUID, redirect_uri: str, challenge: str | None) -> str:
        """An authorization code, bound to where it is sent and to the client's challenge (RFC 7636)."""
        self._connection.execute(
            delete(authorization_codes).where(authorization_codes.c.expires_at <= self._now - timedelta(hours=1))
        )
        code = secrets.token_urlsafe(32)
        self._connection.execute(
            insert(authorization_codes).values(
                code_hash=_hash(code),
                sub=sub,
                redirect_uri=redirect_uri,
                challenge=challenge,
                expires_at=self._now + _AUTHORIZATION_CODE_LIVES,
            )
        )
        return code

    def spend_authorization_code(
        self, code: str, redirect_uri: str, verifier: str | None, session_id: UUID
    ) -> Authorized | None:
        """What a code stands for, once. A second use ends the session of the first (RFC 6749 section 4.1.2)."""
        this = authorization_codes.c.code_hash == _hash(code)
        row = self._connection.execute(select(authorization_codes).where(this)).one_or_none()
        if row is None:
            return None
        if row.session_id is not None:
            self.end_session(row.session_id)
            return None
        if row.expires_at <= self._now or row.redirect_uri != redirect_uri or not _answers(row.challenge, verifier):
            return None
        self._connection.execute(update(authorization_codes).where(this).values(session_id=session_id))
        return Authorized(row.sub, session_id)


def _answers(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return verifier is None
    return verifier is not None and hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
