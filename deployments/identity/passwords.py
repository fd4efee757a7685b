"""The service of passwords: forgotten ones, resets and changes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from deployments.identity.attempt_limiter import AttemptLimiter
from deployments.identity.backend import IdentityBackend
from domain.clock import Clock
from domain.identity.attempts import AttemptPurpose
from domain.identity.model import Change, Client, IdentityRefusal
from domain.identity.repository import UserRepository
from domain.identity.session_repository import SessionRepository
from domain.unit_of_work import Store


class PasswordService:
    """Passwords. Every method may raise `ProviderUnavailableError`."""

    def __init__(self, store: Store, clock: Clock, backend: IdentityBackend, limiter: AttemptLimiter) -> None:
        self._store = store
        self._clock = clock
        self._backend = backend
        self._provider = backend.provider
        self._limiter = limiter

    def forgot(self, email: str, client: Client) -> UUID | IdentityRefusal:
        """Open a reset and send its code. The answer does not reveal whether there is an account.

        Returns:
            The `reset_id` for `reset`; also for an address without account.
        """
        refusal = self._limiter.count_mail(email, client)
        if refusal is not None:
            return refusal
        with self._backend.equal_time():
            return self._provider.forgot_password(email, client.network)

    def reset(
        self, email: str, code: str, password: str, client: Client, reset_id: UUID | None = None
    ) -> str | IdentityRefusal:
        """Set a new password with a code. Ends all sessions.

        Args:
            code: as it was typed.
            reset_id: of `forgot`; None: the code is compared with every open reset of the account.

        Returns:
            The cookie of this device.
        """

        def reset() -> IdentityRefusal | None:
            with self._backend.equal_time():
                return self._provider.reset_password(email, code, password, reset_id)

        record = reset_id if self._backend.local is not None else None  # Cognito has no ids of resets
        refusal = self._limiter.attempt(AttemptPurpose.RESET, email, client, reset, record)
        if refusal is not None:
            return refusal
        account = self._provider.account_of(email)
        if account is None:
            return ""
        changed_at = self._password_changed(account.sub, None)
        self._provider.sign_out_everywhere(account.sub)
        return self._limiter.device_cookie(email, account.sub, changed_at)

    def change(
        self, user_id: UUID, session_id: UUID, access_token: str, old: str, new: str, client: Client
    ) -> str | IdentityRefusal:
        """Change a password. Ends the other sessions of the user.

        Returns:
            The cookie of this device.
        """
        with self._store.reading() as connection:
            user = UserRepository(connection).user(user_id)
        email = user.email if user and user.deleted_at is None else None
        refusal = self._limiter.attempt(
            AttemptPurpose.CHANGE,
            email or str(user_id),
            client,
            lambda: self._provider.change_password(access_token, old, new),
        )
        if refusal is not None:
            return refusal
        return self._limiter.device_cookie(email, user_id, self._password_changed(user_id, session_id))

    def _password_changed(self, user_id: UUID, kept_session: UUID | None) -> datetime:
        """End sessions and invalidate device cookies. Returns the time of the change."""
        now = self._clock()

        def end(connection: Connection) -> None:
            # Recorded even before the first sign-in: the old password may have been used to get device cookies.
            UserRepository(connection).record(user_id, user_id, Change.PASSWORD_CHANGED, "", now)
            SessionRepository(connection).end_all(user_id, now, but=kept_session)

        self._store.written(end)
        return now
