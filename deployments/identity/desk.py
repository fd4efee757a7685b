"""What the Identity deployment answers: signing up and in, sessions, users and their roles.

A plain class; every answer is plain data, and so is every refusal.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from types import NoneType
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from deployments.identity.issued import Authorized, SignedIn, caller_of
from deployments.identity.outside import Outside
from deployments.identity.tries import Tries
from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk
from domain.clock import Clock, system_clock
from domain.identity import leaving, service
from domain.identity.addresses import usable_address
from domain.identity.attempts import Purpose
from domain.identity.model import (
    Caller,
    Change,
    Client,
    IdentityProblem,
    IdentityRefusal,
    Role,
    Session,
    Tokens,
    User,
    UserChange,
    UserFilter,
)
from domain.identity.ports import AccountPage, FunctionCaller, Mail, RoleAction
from domain.identity.repository import UserRepository
from domain.identity.service import LAST_ADMIN, UNKNOWN_USER
from domain.identity.sessions import SessionRepository
from domain.ids import new_id
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store
from integrations.device_cookies import DeviceCookies
from integrations.settings import IdentitySettings
from integrations.time_limit import each_call_within

_UNKNOWN_SESSION = IdentityRefusal(IdentityProblem.UNKNOWN_SESSION, "There is no such session of yours.")
_NO_PAGE = IdentityRefusal(IdentityProblem.WRONG_CODE, "This provider has a sign-in page of its own.")


CALLERS_WAIT_S = 10.0  # passwords wait for their turn, Cognito answers when it answers
ANSWERS_WITHIN_S = 8.5  # what waits for the provider, so that there is an answer within that


@each_call_within(ANSWERS_WITHIN_S)
class IdentityDesk(StoreDesk):
    """Answers on one store and one identity provider; its methods may run on several threads at once.

    Every method may raise `StoreAwayError`, `ProviderAwayError` or `MailAwayError`.

    Args:
        store: the database.
        outside: the provider, its functions, mail.
        limits: of wrong tries.
        clock: the present.
        devices: the cookies of devices that have signed in before; None: every device is a stranger.
    """

    def __init__(
        self,
        store: Store,
        outside: Outside,
        limits: IdentitySettings,
        clock: Clock = system_clock,
        *,
        devices: DeviceCookies | None = None,
    ) -> None:
        super().__init__(store, clock)
        self._outside = outside
        self._provider = outside.provider
        self._tries = Tries(self._written, limits, clock, devices or DeviceCookies(None, timedelta(0)))

    def sign_up(
        self, email: str, password: str, name: str, client: Client, *, call: KeyedCall | None = None
    ) -> IdentityRefusal | None:
        """Make an account and send a code. An address in use is answered alike; its owner is told by mail."""
        if call is None:
            return self._sign_up(email, password, name, client)
        # The provider keeps no row of ours: an attempt that broke off is done again, and sends the code once more.

        def begin(_connection: Connection) -> UUID | IdentityRefusal | None:
            return new_id()

        return self._carried_out_once(call, NoneType, begin, lambda _: self._sign_up(email, password, name, client))

    def _sign_up(self, email: str, password: str, name: str, client: Client) -> IdentityRefusal | None:
        made = self._provider.sign_up(email, password, name)
        if not isinstance(made, IdentityRefusal):
            return None
        if made.problem is not IdentityProblem.EMAIL_IN_USE:
            return made
        # Counted as a wrong try: whoever sends mail to strangers is slowed down.
        refusal = self._tries.without_proof(email, client)
        if refusal is not None:
            return refusal
        account = self._provider.account_of(email)
        if account is not None and not account.confirmed:
            self._provider.resend_code(email)  # of the first sign-up, whose password stays
        else:
            self._outside.mailer.send(_somebody_signed_up(email))
        return None

    def confirm_sign_up(self, email: str, code: str, client: Client) -> IdentityRefusal | None:
        """Confirm an account by the code that was sent."""
        refusal = self._tries.of(Purpose.CONFIRM, email, client, lambda: self._provider.confirm_sign_up(email, code))
        if refusal is None:
            self._outside.mailer.send(_welcome(email))
        return refusal

    def resend_code(self, email: str, client: Client) -> IdentityRefusal | None:
        """Send the code of an unconfirmed account again."""
        refusal = self._tries.without_proof(email, client)
        if refusal is None:
            self._provider.resend_code(email)
        return refusal

    def sign_in(self, email: str, password: str, client: Client) -> SignedIn | IdentityRefusal:
        """Begin a session."""
        began = self._clock()
        tokens = self._tries.of(Purpose.SIGN_IN, email, client, lambda: self._provider.sign_in(email, password))
        signed_in = tokens if isinstance(tokens, IdentityRefusal) else self._signed_in(tokens, client)
        if isinstance(signed_in, IdentityRefusal):
            return signed_in
        return replace(signed_in, device_cookie=self._tries.device_cookie(email, signed_in.user.id, began))

    def refresh(self, refresh_token: str, client: Client) -> SignedIn | IdentityRefusal:
        """Go on with a session."""
        tokens = self._provider.refresh(refresh_token)
        return tokens if isinstance(tokens, IdentityRefusal) else self._signed_in(tokens, client)

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """The provider's own sign-in page."""
        return self._provider.authorize_url(redirect_uri, state, code_challenge)

    def sign_in_by_code(
        self, code: str, redirect_uri: str, code_verifier: str | None, client: Client
    ) -> SignedIn | IdentityRefusal:
        """Begin a session with what the provider's own page has given."""
        tokens = self._provider.exchange_code(code, redirect_uri, code_verifier)
        return tokens if isinstance(tokens, IdentityRefusal) else self._signed_in(tokens, client)

    def authorize(
        self, email: str, password: str, redirect_uri: str, code_challenge: str | None, client: Client
    ) -> Authorized | IdentityRefusal:
        """The authorization code of the local provider's own page."""
        local = self._outside.local
        if local is None:
            return _NO_PAGE
        began = self._clock()
        code = self._tries.of(
            Purpose.SIGN_IN, email, client, lambda: local.authorize(email, password, redirect_uri, code_challenge)
        )
        if isinstance(code, IdentityRefusal):
            return code
        account = local.account_of(email)
        return Authorized(code, self._tries.device_cookie(email, account.sub, began) if account else "")

    def exchange_code(self, code: str, redirect_uri: str, code_verifier: str | None) -> Tokens | IdentityRefusal:
        """The tokens for an authorization code, as the provider's token endpoint gives them."""
        return self._provider.exchange_code(code, redirect_uri, code_verifier)

    def sign_out(self, user_id: UUID, session_id: UUID, refresh_token: str | None) -> None:
        """End a session."""
        self._written(lambda connection: SessionRepository(connection).end(user_id, session_id, self._clock()))
        if refresh_token:
            self._provider.revoke(refresh_token)

    def sign_out_everywhere(self, user_id: UUID) -> None:
        """End all sessions of a user."""
        self._written(lambda connection: SessionRepository(connection).end_all(user_id, self._clock()))
        self._provider.sign_out_everywhere(user_id)

    def sessions(self, user_id: UUID, request: PageRequest) -> Page[Session]:
        """A user's sessions that have not ended, newest first."""
        with self._reading() as connection:
            return SessionRepository(connection).living(user_id, request)

    def end_session(self, user_id: UUID, session_id: UUID) -> IdentityRefusal | None:
        """End one of a user's sessions. Its tokens are refused from now on, refreshed ones too."""
        theirs = self._written(lambda connection: SessionRepository(connection).end(user_id, session_id, self._clock()))
        return None if theirs else _UNKNOWN_SESSION

    def forgot_password(self, email: str, client: Client) -> IdentityRefusal | None:
        """Send a code to set a new password with; answered alike whether or not there is an account."""
        refusal = self._tries.without_proof(email, client)
        if refusal is None:
            self._provider.forgot_password(email)
        return refusal

    def reset_password(self, email: str, code: str, password: str, client: Client) -> str | IdentityRefusal:
        """Set a new password by a code; ends all sessions.

        Returns:
            The cookie of this device, which gets in from now on while strangers have to wait.
        """
        refusal = self._tries.of(
            Purpose.RESET, email, client, lambda: self._provider.reset_password(email, code, password)
        )
        if refusal is not None:
            return refusal
        account = self._provider.account_of(email)
        if account is None:
            return ""
        changed_at = self._password_changed(account.sub, None)
        self._provider.sign_out_everywhere(account.sub)
        return self._tries.device_cookie(email, account.sub, changed_at)

    def change_password(
        self, user_id: UUID, session_id: UUID, access_token: str, old: str, new: str, client: Client
    ) -> str | IdentityRefusal:
        """Change a password; ends the user's other sessions. Returns the cookie of this device."""
        known = self.user(user_id)
        email = known.email if known else None
        refusal = self._tries.of(
            Purpose.CHANGE,
            email or str(user_id),
            client,
            lambda: self._provider.change_password(access_token, old, new),
        )
        if refusal is not None:
            return refusal
        return self._tries.device_cookie(email, user_id, self._password_changed(user_id, session_id))

    def know_caller(self, caller: Caller, client: Client) -> User | IdentityRefusal:
        """The user behind a valid token of a session that is not known yet; both are made where there is none."""
        if caller.email is None:
            # Cognito's access tokens say no address unless a trigger adds it.
            account = self._provider.account(caller.user_id)
            if account is None:
                return service.SESSION_OVER
            caller = caller.with_account(account.email or "", account.name)
        return self._written(lambda connection: service.know_caller(connection, caller, client, self._clock()))

    def user(self, user_id: UUID) -> User | None:
        """One user; None for a deleted one."""
        with self._reading() as connection:
            user = UserRepository(connection).user(user_id)
        return user if user is not None and user.deleted_at is None else None

    def rename(self, user_id: UUID, name: str, by_id: UUID) -> User | IdentityRefusal:
        """Change a user's name, here and at the provider."""
        self._provider.rename(user_id, name)  # first: the next token would bring the old one back
        return self._written(lambda connection: service.rename(connection, by_id, user_id, name, self._clock()))

    def export(self, user_id: UUID) -> dict[str, Any]:
        """Everything personal that is kept of a user, as JSON can say it."""
        with self._reading() as connection:
            return leaving.export_account(connection, user_id)

    def users(self, wanted: UserFilter, request: PageRequest) -> Page[User]:
        """Users, as far as they have signed in once."""
        with self._reading() as connection:
            return UserRepository(connection).users(wanted, request)

    def history(self, user_id: UUID, request: PageRequest) -> Page[UserChange] | IdentityRefusal:
        """What was done to an account, newest first."""
        with self._reading() as connection:
            users = UserRepository(connection)
            return UNKNOWN_USER if users.user(user_id) is None else users.history(user_id, request)

    def list_accounts(self, by: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """All accounts of the provider, by its function."""
        return self._outside.functions.list_users(by, limit, after)

    def change_role(self, by: FunctionCaller, user_id: UUID, role: Role, action: RoleAction) -> User | IdentityRefusal:
        """Give or take a role, by the function; everywhere within 5 s."""
        changed = self._outside.functions.change_role(by, user_id, role, action)
        if isinstance(changed, IdentityRefusal):
            return changed
        recorded = self._written(
            lambda connection: service.record_role(connection, by.sub, user_id, role, action, self._clock())
        )
        if isinstance(recorded, IdentityRefusal):
            # Never signed in yet: the first token brings the roles along.
            return User(changed.sub, usable_address(changed.email), changed.name, None, None, changed.created_at)
        return recorded

    def set_enabled(self, by_id: UUID, user_id: UUID, enabled: bool) -> User | IdentityRefusal:  # noqa: FBT001 - crosses a handle
        """Disable an account, which ends its sessions, or enable it again. Not the last admin's."""
        if self.user(user_id) is None:
            return UNKNOWN_USER
        if not enabled and self._is_last_admin(user_id):
            return LAST_ADMIN
        if enabled:
            self._provider.set_enabled(user_id, enabled=True)
        elif not self._disabled_with_an_admin_left(user_id):
            return LAST_ADMIN
        return self._written(
            lambda connection: service.set_enabled(connection, by_id, user_id, enabled=enabled, now=self._clock())
        )

    def begin_deleting(self, by_id: UUID, user_id: UUID) -> UUID | IdentityRefusal | None:
        """Mark an account as deleted: its passes stop at once. Not the last admin's.

        Returns:
            The gym where a visit of theirs is open, which the door must end before `finish_deleting`.
        """
        if self._is_last_admin(user_id):
            return LAST_ADMIN
        account = self._outside.directory.account(user_id)
        is_admin = account is not None and account.enabled and Role.ADMIN in account.groups
        if is_admin and not self._disabled_with_an_admin_left(user_id):
            return LAST_ADMIN
        return self._written(lambda connection: leaving.begin_deleting(connection, by_id, user_id, self._clock()))

    def finish_deleting(self, user_id: UUID) -> None:
        """Delete the account at the provider and whatever is personal here; what accounts must keep stays."""
        self._provider.delete(user_id)
        self._written(lambda connection: leaving.finish_deleting(connection, user_id, self._clock()))

    def _signed_in(self, tokens: Tokens, client: Client) -> SignedIn | IdentityRefusal:
        caller = caller_of(tokens)
        user = self._written(lambda connection: service.know_caller(connection, caller, client, self._clock()))
        if isinstance(user, IdentityRefusal):
            self._provider.revoke(tokens.refresh_token)
            return user
        return SignedIn(tokens, user, caller.session_id)

    def _password_changed(self, user_id: UUID, kept_session: UUID | None) -> datetime:
        """End sessions, and what devices were known by. Returns when."""
        now = self._clock()
        with self._writing() as connection:
            users = UserRepository(connection)
            if users.user(user_id) is not None:
                users.record(user_id, user_id, Change.PASSWORD_CHANGED, "", now)
            SessionRepository(connection).end_all(user_id, now, but=kept_session)
        return now

    def _disabled_with_an_admin_left(self, user_id: UUID) -> bool:
        """Disable an account at the provider, unless nobody would be left: two may do it to each other at once."""
        self._provider.set_enabled(user_id, enabled=False)
        if self._outside.directory.enabled_members_of(Role.ADMIN):
            return True
        self._provider.set_enabled(user_id, enabled=True)
        return False

    def _is_last_admin(self, user_id: UUID) -> bool:
        return self._outside.directory.enabled_members_of(Role.ADMIN) == {user_id}


def _somebody_signed_up(email: str) -> Mail:
    return Mail(
        email,
        "You have an account already",
        "Somebody has tried to sign up at FIT Monitor with this address, which has an account.\n"
        "If it was you: sign in, or set a new password with “forgot password”. If not, there is nothing to do.\n",
    )


def _welcome(email: str) -> Mail:
    return Mail(
        email,
        "Welcome to FIT Monitor",
        "Your account is ready. Sign in, choose a membership, and show your pass at the door.\n",
    )
