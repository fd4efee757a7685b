"""The service of sign-ins: sessions begin, continue and end here."""

from dataclasses import replace
from uuid import UUID

from deployments.identity.attempt_limiter import AttemptLimiter
from deployments.identity.backend import IdentityBackend
from deployments.identity.signed_in import AuthorizationCode, SignedIn, caller_of
from domain.clock import Clock
from domain.identity import service
from domain.identity.attempts import AttemptPurpose
from domain.identity.model import (
    Caller,
    Client,
    IdentityProblem,
    IdentityRefusal,
    ReusedCredential,
    Tokens,
    User,
)
from domain.identity.session_repository import SessionRepository
from domain.unit_of_work import Store

_WRONG_CODE = IdentityRefusal(IdentityProblem.WRONG_CODE, "The code is wrong, was used, or has expired. Sign in again.")
_NO_PAGE = IdentityRefusal(IdentityProblem.WRONG_CODE, "This provider has its own sign-in page.")


class SignInService:
    """Signs users in and out. Every method may raise `ProviderUnavailableError`."""

    def __init__(self, store: Store, clock: Clock, backend: IdentityBackend, limiter: AttemptLimiter) -> None:
        self._store = store
        self._clock = clock
        self._backend = backend
        self._provider = backend.provider
        self._limiter = limiter

    def sign_in(self, email: str, password: str, client: Client) -> SignedIn | IdentityRefusal:
        """Begin a session with a password."""
        began = self._clock()
        tokens = self._limiter.attempt(
            AttemptPurpose.SIGN_IN, email, client, lambda: self._provider.sign_in(email, password)
        )
        signed_in = tokens if isinstance(tokens, IdentityRefusal) else self._signed_in(tokens, client)
        if isinstance(signed_in, IdentityRefusal):
            return signed_in
        return replace(signed_in, device_cookie=self._limiter.device_cookie(email, signed_in.user.id, began))

    def refresh(self, refresh_token: str, client: Client) -> SignedIn | IdentityRefusal:
        """Continue a session. A refresh token that is used again ends the session everywhere."""
        self._store.ping()  # fail before the provider accepts a credential that is valid once
        return self._continued(self._provider.refresh(refresh_token, client), service.SESSION_OVER, client)

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """The URL of the provider's sign-in page."""
        return self._provider.authorize_url(redirect_uri, state, code_challenge)

    def authorize(
        self, email: str, password: str, redirect_uri: str, code_challenge: str | None, client: Client
    ) -> AuthorizationCode | IdentityRefusal:
        """Issue an authorization code, as the sign-in page of the local provider does."""
        local = self._backend.local
        if local is None:
            return _NO_PAGE
        began = self._clock()
        code = self._limiter.attempt(
            AttemptPurpose.SIGN_IN,
            email,
            client,
            lambda: local.authorize(email, password, redirect_uri, code_challenge),
        )
        if isinstance(code, IdentityRefusal):
            return code
        account = local.account_of(email)
        return AuthorizationCode(code, self._limiter.device_cookie(email, account.sub, began) if account else "")

    def sign_in_by_code(
        self, code: str, redirect_uri: str, code_verifier: str | None, client: Client
    ) -> SignedIn | IdentityRefusal:
        """Begin a session with an authorization code. A code that is used again ends the session."""
        self._store.ping()  # fail before the provider accepts a credential that is valid once
        return self._continued(self._provider.exchange_code(code, redirect_uri, code_verifier), _WRONG_CODE, client)

    def know_caller(self, caller: Caller, client: Client) -> User | IdentityRefusal:
        """The user of a valid token. Creates the rows of user and session on the first token of a session."""
        if caller.email is None:
            # Cognito's access tokens carry no address unless a trigger adds it.
            account = self._provider.account(caller.user_id)
            if account is None:
                return service.SESSION_OVER
            caller = caller.with_account(account.email or "", account.name)
        return self._store.written(lambda connection: service.know_caller(connection, caller, client, self._clock()))

    def sign_out(self, user_id: UUID, session_id: UUID, refresh_token: str | None) -> None:
        """End a session."""
        self._end(user_id, session_id)
        if refresh_token:
            self._provider.revoke(refresh_token)

    def sign_out_everywhere(self, user_id: UUID) -> None:
        """End all sessions of a user."""
        self._store.written(lambda connection: SessionRepository(connection).end_all(user_id, self._clock()))
        self._provider.sign_out_everywhere(user_id)

    def _continued(
        self, answer: Tokens | IdentityRefusal | ReusedCredential, refusal: IdentityRefusal, client: Client
    ) -> SignedIn | IdentityRefusal:
        if isinstance(answer, Tokens):
            return self._signed_in(answer, client)
        if isinstance(answer, IdentityRefusal):
            return answer
        # The provider has revoked the refresh tokens; this ends the access tokens, everywhere within 5 s.
        self._end(answer.sub, answer.session_id)
        return refusal

    def _signed_in(self, tokens: Tokens, client: Client) -> SignedIn | IdentityRefusal:
        caller = caller_of(tokens)
        user = self._store.written(lambda connection: service.know_caller(connection, caller, client, self._clock()))
        if isinstance(user, IdentityRefusal):
            self._provider.revoke(tokens.refresh_token)
            return user
        local = self._backend.local
        if local is not None and not local.is_session_valid(caller.session_id):
            # The session was ended before its row was written, so there was no row to end.
            self._end(caller.user_id, caller.session_id)
            return service.SESSION_OVER
        return SignedIn(tokens, user, caller.session_id)

    def _end(self, user_id: UUID, session_id: UUID) -> None:
        self._store.written(lambda connection: SessionRepository(connection).end(user_id, session_id, self._clock()))
