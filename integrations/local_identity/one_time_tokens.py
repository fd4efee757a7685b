"""One-time secrets of the local provider: refresh tokens and authorization codes."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select, update

from domain.identity.model import Client, ReusedCredential
from domain.identity.pkce import challenge_of
from integrations.answer_encryption import UnsealError, seal, unseal
from integrations.local_identity.tables import authorization_codes, refresh_tokens

_REPEAT_WINDOW = timedelta(seconds=10)
_SUCCESSOR = "successor of a refresh token"
_AUTHORIZATION_CODE_LIFETIME = timedelta(seconds=60)  # RFC 6749 section 4.1.2 recommends 10 minutes at most


class RefreshableSession(NamedTuple):
    """A session that can be refreshed."""

    sub: UUID
    session_id: UUID
    auth_time: int


class RotatedToken(NamedTuple):
    """A refreshed session with its next refresh token."""

    session: RefreshableSession
    refresh_token: str


class AuthorizedSession(NamedTuple):
    """The sign-in behind an authorization code."""

    sub: UUID
    session_id: UUID


class OneTimeTokens:
    """Refresh tokens and authorization codes, within one transaction."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def new_refresh_token(self, session: RefreshableSession, lifetime: timedelta) -> str:
        """Create a refresh token for a session."""
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

    def rotate(self, token: str, client: Client, lifetime: timedelta) -> RotatedToken | ReusedCredential | None:
        """Exchange a refresh token for its successor; None if it does not exist or has expired.

        A used token returns the same successor if its response may have been lost, see `_repeated_successor`. Otherwise
        two parties hold the token: all tokens of the session are revoked.
        """
        row = self._connection.execute(
            select(refresh_tokens).where(refresh_tokens.c.token_hash == _hash(token))
        ).one_or_none()
        if row is None or row.expires_at <= self._now:
            return None
        session = RefreshableSession(row.sub, row.session_id, row.auth_time)
        if row.spent:
            again = self._repeated_successor(row, token, client)
            if again is not None:
                return RotatedToken(session, again)
            self._revoke_family(row.session_id)
            return ReusedCredential(row.sub, row.session_id)
        successor = self.new_refresh_token(session, lifetime)
        family = update(refresh_tokens).where(refresh_tokens.c.session_id == row.session_id)
        self._connection.execute(family.values(successor=None))
        self._connection.execute(
            update(refresh_tokens)
            .where(refresh_tokens.c.token_hash == row.token_hash)
            .values(
                spent=True,
                spent_at=self._now,
                spent_by=_device_fingerprint(token, client),
                successor=seal(successor.encode(), token, _SUCCESSOR),
            )
        )
        return RotatedToken(session, successor)

    def _repeated_successor(self, row: Row[Any], token: str, client: Client) -> str | None:
        """The successor of a used token, if the response may have been lost or two tabs sent the token.

        Conditions: within a few seconds of the first use (a second answer does not extend this), from the same
        device as far as it can be recognised, and before the successor was used. Its use proves that it was received.
        """
        if (
            row.successor is None
            or row.spent_at is None
            or not row.spent_at <= self._now < row.spent_at + _REPEAT_WINDOW
        ):
            return None
        if not client.address or not hmac.compare_digest(row.spent_by, _device_fingerprint(token, client)):
            return None
        try:
            successor = unseal(row.successor, token, _SUCCESSOR).decode()
        except UnsealError:
            return None
        unused = refresh_tokens.c.token_hash == _hash(successor), refresh_tokens.c.spent.is_(False)
        return successor if self._connection.execute(select(refresh_tokens.c.sub).where(*unused)).first() else None

    def _revoke_family(self, session_id: UUID) -> None:
        """Revoke all refresh tokens of a session and remember this: each further use counts as reuse too.

        The caller, which ends the session elsewhere, may fail and then gets another chance.
        """
        family = update(refresh_tokens).where(refresh_tokens.c.session_id == session_id)
        self._connection.execute(family.values(spent=True, spent_at=None, spent_by=None, successor=None))

    def is_session_valid(self, session_id: UUID) -> bool:
        """Whether the session has a valid refresh token."""
        valid = refresh_tokens.c.spent.is_(False), refresh_tokens.c.expires_at > self._now
        query = select(refresh_tokens.c.sub).where(refresh_tokens.c.session_id == session_id, *valid)
        return self._connection.execute(query).first() is not None

    def session_of(self, token: str) -> UUID | None:
        """The session of a refresh token."""
        session_id: UUID | None = self._connection.execute(
            select(refresh_tokens.c.session_id).where(refresh_tokens.c.token_hash == _hash(token))
        ).scalar_one_or_none()
        return session_id

    def end_session(self, session_id: UUID) -> None:
        """Revoke all refresh tokens of a session."""
        self._connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id == session_id))

    def end_sessions(self, sub: UUID, *, but: UUID | None = None) -> None:
        """Revoke all refresh tokens and authorization codes of an account, except those of one session."""
        ending = delete(refresh_tokens).where(refresh_tokens.c.sub == sub)
        self._connection.execute(ending if but is None else ending.where(refresh_tokens.c.session_id != but))
        unused = (authorization_codes.c.sub == sub, authorization_codes.c.session_id.is_(None))
        self._connection.execute(delete(authorization_codes).where(*unused))

    def new_authorization_code(self, sub: UUID, redirect_uri: str, challenge: str | None) -> str:
        """Create an authorization code, bound to the redirect URI and the client's challenge (RFC 7636)."""
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
                expires_at=self._now + _AUTHORIZATION_CODE_LIFETIME,
            )
        )
        return code

    def spend_authorization_code(
        self, code: str, redirect_uri: str, verifier: str | None, session_id: UUID
    ) -> AuthorizedSession | ReusedCredential | None:
        """Redeem a code, once. A second use ends the session of the first (RFC 6749 section 4.1.2)."""
        code_row = authorization_codes.c.code_hash == _hash(code)
        row = self._connection.execute(select(authorization_codes).where(code_row)).one_or_none()
        if row is None:
            return None
        if row.session_id is not None:
            self._revoke_family(row.session_id)
            return ReusedCredential(row.sub, row.session_id)
        if (
            row.expires_at <= self._now
            or row.redirect_uri != redirect_uri
            or not _matches_challenge(row.challenge, verifier)
        ):
            return None
        self._connection.execute(update(authorization_codes).where(code_row).values(session_id=session_id))
        return AuthorizedSession(row.sub, session_id)


def _device_fingerprint(token: str, client: Client) -> str:
    """A fingerprint of the device, readable only with the token."""
    return hmac.new(token.encode(), f"{client.network}\n{client.device}".encode(), hashlib.sha256).hexdigest()


def _matches_challenge(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return verifier is None
    return verifier is not None and hmac.compare_digest(challenge_of(verifier).encode(), challenge.encode())


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
