"""What the Identity deployment answers: signing up and in, sessions, users and their roles.

A plain class; every answer is plain data, and so is every refusal.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
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
    ReusedCredential,
    Role,
    Session,
    Tokens,
    User,
    UserChange,
    UserFilter,
)
from domain.identity.ports import AccountPage, FunctionCaller, Mail, MailAwayError, RoleAction
from domain.identity.repository import UserRepository
from domain.identity.service import LAST_ADMIN, UNKNOWN_USER
from domain.identity.sessions import SessionRepository
from domain.ids import new_id
from domain.paging import Page, PageRequest
from domain.unit_of_work import Store
from integrations.device_cookies import DeviceCookies
from integrations.settings import IdentitySettings
from integrations.time_limit import limit_each_call

_UNKNOWN_SESSION = IdentityRefusal(IdentityProblem.UNKNOWN_SESSION, "There is no such session of yours.")
_WRONG_CODE = IdentityRefusal(IdentityProblem.WRONG_CODE, "The code is wrong, was used, or is too old. Sign in again.")
_NO_PAGE = IdentityRefusal(IdentityProblem.WRONG_CODE, "This provider has a sign-in page of its own.")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _SignUpOpened:
    """What a repeated call gets. Not a bare UUID, which names the row of an attempt that broke off."""

    sign_up_id: UUID


CALLERS_WAIT_S = 10.0  # passwords wait for their turn, Cognito answers when it answers
ANSWERS_WITHIN_S = 8.5  # what waits for the provider, so that there is an answer within that


@limit_each_call(ANSWERS_WITHIN_S)
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
    ) -> UUID | IdentityRefusal:
        """Open a sign-up and send its code. An address in use gets the same answer; its owner gets a mail.

        Returns:
            The `sign_up_id`, which binds `confirm_sign_up` and `resend_code` to this sign-up; for every address.
        """
        if call is None:
            return self._sign_up(email, password, name, client)
        # The provider keeps no row of ours: an attempt that broke off is done again, and sends another code.

        def begin(_connection: Connection) -> UUID | _SignUpOpened | IdentityRefusal:
            return new_id()

        def carry_out(_row: UUID) -> _SignUpOpened | IdentityRefusal:
            opened = self._sign_up(email, password, name, client)
            return opened if isinstance(opened, IdentityRefusal) else _SignUpOpened(opened)

        answer = self._carried_out_once(call, _SignUpOpened, begin, carry_out)
        return answer if isinstance(answer, IdentityRefusal) else answer.sign_up_id

    def _sign_up(self, email: str, password: str, name: str, client: Client) -> UUID | IdentityRefusal:
        # Counted for every address: whoever sends mail to strangers is slowed down, and learns nothing from it.
        refusal = self._tries.without_proof(email, client)
        if refusal is not None:
            return refusal
        with self._outside.same_time():
            opened = self._provider.sign_up(email, password, name, client.network)
            if not isinstance(opened, IdentityRefusal) or opened.problem is not IdentityProblem.EMAIL_IN_USE:
                return opened
            self._outside.mailer.send(_somebody_signed_up(email))
            return uuid4()  # as random as the id of a sign-up

    def confirm_sign_up(
        self, email: str, code: str, client: Client, sign_up_id: UUID | None = None
    ) -> IdentityRefusal | None:
        """Make the account of a sign-up by the code that was sent.

        Args:
            email: the address.
            code: as it was typed.
            client: who asks.
            sign_up_id: of `sign_up`; None: the code is compared with every open sign-up of the address.
        """
        refusal = self._tries.of(
            Purpose.CONFIRM, email, client, lambda: self._confirm(email, code, sign_up_id), sign_up_id
        )
        if refusal is None:
            self._send_welcome(email)
        return refusal

    def _confirm(self, email: str, code: str, sign_up_id: UUID | None) -> IdentityRefusal | None:
        with self._outside.same_time():
            return self._provider.confirm_sign_up(email, code, sign_up_id)

    def _send_welcome(self, email: str) -> None:
        try:
            self._outside.mailer.send(_welcome(email))
        except MailAwayError as error:
            # The account exists and its code is used: a refusal would say otherwise.
            _log.warning("welcome_not_sent", error=type(error).__name__)

    def resend_code(self, email: str, client: Client, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """Send another code of an open sign-up; without an id, of the newest one of the address."""
        refusal = self._tries.without_proof(email, client)
        if refusal is None:
            with self._outside.same_time():
                self._provider.resend_code(email, sign_up_id, client.network)
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
        """Go on with a session. A token that was spent before, or was stolen, ends it everywhere."""
        self.ping_database()  # a token must not be spent for an answer that cannot be given
        return self._continued(self._provider.refresh(refresh_token, client), service.SESSION_OVER, client)

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """The provider's own sign-in page."""
        return self._provider.authorize_url(redirect_uri, state, code_challenge)

    def sign_in_by_code(
        self, code: str, redirect_uri: str, code_verifier: str | None, client: Client
    ) -> SignedIn | IdentityRefusal:
        """Begin a session with what the provider's own page has given. A second use of a code ends that session."""
        self.ping_database()
        return self._continued(self._provider.exchange_code(code, redirect_uri, code_verifier), _WRONG_CODE, client)

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

    def sign_out(self, user_id: UUID, session_id: UUID, refresh_token: str | None) -> None:
        """End a session."""
        self._end(user_id, session_id)
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
        return None if self._end(user_id, session_id) else _UNKNOWN_SESSION

    def forgot_password(self, email: str, client: Client) -> UUID | IdentityRefusal:
        """Open a reset and send its code; the same answer whether or not there is an account.

        Returns:
            The `reset_id`, which binds `reset_password` to this reset; for every address.
        """
        refusal = self._tries.without_proof(email, client)
        if refusal is not None:
            return refusal
        with self._outside.same_time():
            return self._provider.forgot_password(email, client.network)

    def reset_password(
        self, email: str, code: str, password: str, client: Client, reset_id: UUID | None = None
    ) -> str | IdentityRefusal:
        """Set a new password by a code; ends all sessions.

        Args:
            email: the address.
            code: as it was typed.
            password: the new one.
            client: who asks.
            reset_id: of `forgot_password`; None: the code is compared with every open reset of the account.

        Returns:
            The cookie of this device, which gets in from now on while strangers have to wait.
        """
        record = reset_id if self._outside.local is not None else None  # binds nothing at Cognito
        refusal = self._tries.of(
            Purpose.RESET, email, client, lambda: self._reset(email, code, password, reset_id), record
        )
        if refusal is not None:
            return refusal
        account = self._provider.account_of(email)
        if account is None:
            return ""
        changed_at = self._password_changed(account.sub, None)
        self._provider.sign_out_everywhere(account.sub)
        return self._tries.device_cookie(email, account.sub, changed_at)

    def _reset(self, email: str, code: str, password: str, reset_id: UUID | None) -> IdentityRefusal | None:
        with self._outside.same_time():
            return self._provider.reset_password(email, code, password, reset_id)

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

    def _continued(
        self, answer: Tokens | IdentityRefusal | ReusedCredential, refusal: IdentityRefusal, client: Client
    ) -> SignedIn | IdentityRefusal:
        if isinstance(answer, Tokens):
            return self._signed_in(answer, client)
        if isinstance(answer, IdentityRefusal):
            return answer
        # The refresh tokens are worthless already; this ends the access tokens, everywhere within 5 s.
        self._end(answer.sub, answer.session_id)
        return refusal

    def _signed_in(self, tokens: Tokens, client: Client) -> SignedIn | IdentityRefusal:
        caller = caller_of(tokens)
        user = self._written(lambda connection: service.know_caller(connection, caller, client, self._clock()))
        if isinstance(user, IdentityRefusal):
            self._provider.revoke(tokens.refresh_token)
            return user
        local = self._outside.local
        if local is not None and not local.is_session_valid(caller.session_id):
            # Reuse or signing out was faster than the session's row, and has found none to end.
            self._end(caller.user_id, caller.session_id)
            return service.SESSION_OVER
        return SignedIn(tokens, user, caller.session_id)

    def _end(self, user_id: UUID, session_id: UUID) -> bool:
        return self._written(lambda connection: SessionRepository(connection).end(user_id, session_id, self._clock()))

    def _password_changed(self, user_id: UUID, kept_session: UUID | None) -> datetime:
        """End sessions, and what devices were known by. Returns when."""
        now = self._clock()
        with self._writing() as connection:
            # Of somebody who has never signed in too: the old password may have given cookies.
            UserRepository(connection).record(user_id, user_id, Change.PASSWORD_CHANGED, "", now)
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
