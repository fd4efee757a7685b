"""The local identity provider: the functions of Cognito in a local database."""

from base64 import urlsafe_b64decode
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple, Protocol
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from domain.clock import Clock, system_clock
from domain.identity.email_addresses import normal_address
from domain.identity.model import (
    UNKNOWN_CLIENT,
    Client,
    IdentityProblem,
    IdentityRefusal,
    ReusedCredential,
    Role,
    Tokens,
)
from domain.identity.ports import Account, Mailer, MailUnavailableError
from domain.text import normalized_text
from integrations.local_identity.accounts import Accounts, new_account
from integrations.local_identity.directory import LocalDirectory
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.mailed_codes import RESET, SIGN_UP, MailedCodes
from integrations.local_identity.mails import confirm_mail, reset_mail
from integrations.local_identity.one_time_tokens import OneTimeTokens, RefreshableSession
from integrations.local_identity.passwords import Passwords, weakness
from integrations.local_identity.tables import AccountsFile
from integrations.local_identity.tokens import Subject, access_token, id_token
from integrations.settings import Settings

_IN_USE = IdentityRefusal(IdentityProblem.EMAIL_IN_USE, "An account with this address exists already.")
_WRONG_CREDENTIALS = IdentityRefusal(IdentityProblem.WRONG_CREDENTIALS, "The address or the password is wrong.")
_WRONG_CODE = IdentityRefusal(
    IdentityProblem.WRONG_CODE, "The code is wrong, was used, or has expired. Request another one."
)
_NOT_CONFIRMED = IdentityRefusal(
    IdentityProblem.NOT_CONFIRMED, "The address is not confirmed yet. Enter the code that was sent to it."
)
_DISABLED = IdentityRefusal(IdentityProblem.ACCOUNT_DISABLED, "This account is disabled. Ask the staff.")
_SESSION_OVER = IdentityRefusal(IdentityProblem.SESSION_OVER, "This session has ended. Sign in again.")
SIGN_IN_PATH = "/api/identity/oauth2/authorize"


class _Claims(msgspec.Struct):
    sub: UUID
    origin_jti: UUID


class _VerifiedPassword(NamedTuple):
    sub: UUID
    password_hash: str


_claims = msgspec.json.Decoder(_Claims)


class Triggers(Protocol):
    """Functions called where a user pool calls its Lambda triggers."""

    def confirmed(self, account: Account) -> None:
        """PostConfirmation."""

    def groups_in_token(self, account: Account) -> tuple[str, ...]:
        """PreTokenGeneration: the groups in the token."""


class LocalProvider(LocalDirectory):
    """Accounts, passwords, tokens and directory; see `domain.identity.ports`.

    Args:
        settings: database file, keys and cost of passwords.
        mailer: sends the codes.
        clock: current time.
        passwords: password hasher; default: as configured.
    """

    def __init__(
        self, settings: Settings, mailer: Mailer, clock: Clock = system_clock, passwords: Passwords | None = None
    ) -> None:
        if settings.identity.accounts_file is None:
            raise NoLocalIdentityError("this installation has no local identity provider")
        super().__init__(AccountsFile(settings.identity.accounts_file))
        self.triggers: Triggers | None = None
        self._settings = settings
        self._mailer = mailer
        self._clock = clock
        self._passwords = passwords or Passwords(settings.identity)
        self._access_lifetime = timedelta(minutes=settings.identity.token_minutes)
        self._refresh_lifetime = timedelta(days=settings.identity.refresh_days)

    def close(self) -> None:
        """Close the database."""
        self._file.close()

    def sign_up(self, email: str, password: str, name: str, network: str = "") -> UUID | IdentityRefusal:
        """See `IdentityProvider`."""
        problem = weakness(password, email, name)
        if problem is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
        hashed = self._passwords.hashed(password)  # also for a known address, so that both take the same time
        with self._file.writing() as connection:
            # Also for an address in use, so that limits, work and number of mails are the same.
            created = self._sign_ups(connection).create(email, network, name=normalized_text(name), password=hashed)
            is_known = Accounts(connection).account_of(email) is not None
        if created is None:
            return uuid4()
        if is_known:
            return _IN_USE
        try:
            self._mailer.send(confirm_mail(normal_address(email), created.code))
        except MailUnavailableError:
            with self._file.writing() as connection:
                self._sign_ups(connection).drop(created.id)  # its code was not sent
            raise
        return created.id

    def confirm_sign_up(self, email: str, code: str, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            accounts = Accounts(connection)
            record = self._sign_ups(connection).matching(email, code, sign_up_id)
            if record is None or accounts.account_of(email) is not None:
                return _WRONG_CODE
            account = new_account(uuid4(), record.email, record.name, self._clock(), confirmed=True)
            accounts.add([account], record.password)
        self._after_confirmation(account)
        return None

    def resend_code(self, email: str, sign_up_id: UUID | None = None, network: str = "") -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            sign_ups = self._sign_ups(connection)
            # Also for an address in use, so that the limit of records does not reveal that it is.
            if sign_up_id is None:
                code = self._new_code_of_newest(sign_ups, email, network)
            else:
                code = sign_ups.replace_code(email, sign_up_id)
            is_known = Accounts(connection).account_of(email) is not None
        if code is not None and not is_known:
            self._mailer.send(confirm_mail(normal_address(email), code))

    def sign_in(self, email: str, password: str) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        verified = self._verify_password(email, password)
        if isinstance(verified, IdentityRefusal):
            return verified
        with self._file.writing() as connection:
            account = Accounts(connection).if_unchanged(*verified)
            if account is None:
                return _WRONG_CREDENTIALS
            session, refresh_token = self._new_session(connection, account, uuid4())
        return self._tokens(account, session, refresh_token)

    def refresh(
        self, refresh_token: str, client: Client = UNKNOWN_CLIENT
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            rotated = OneTimeTokens(connection, self._clock()).rotate(refresh_token, client, self._refresh_lifetime)
            if isinstance(rotated, ReusedCredential):
                return rotated
            account = Accounts(connection).account(rotated.session.sub) if rotated else None
            if rotated is None or account is None or not account.enabled:
                return _SESSION_OVER
        return self._tokens(account, rotated.session, rotated.refresh_token)

    def is_session_valid(self, session_id: UUID) -> bool:
        """Whether a session is still valid: not signed out, disabled, or ended by token reuse."""
        with self._file.reading() as connection:
            return OneTimeTokens(connection, self._clock()).is_session_valid(session_id)

    def revoke(self, refresh_token: str) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            tokens = OneTimeTokens(connection, self._clock())
            session_id = tokens.session_of(refresh_token)
            if session_id is not None:
                tokens.end_session(session_id)

    def sign_out_everywhere(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            OneTimeTokens(connection, self._clock()).end_sessions(sub)

    def forgot_password(self, email: str, network: str = "") -> UUID:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            is_known = Accounts(connection).account_of(email) is not None
            created = self._resets(connection).create(email, network) if is_known else None
        if created is None:
            return uuid4()
        try:
            self._mailer.send(reset_mail(normal_address(email), created.code))
        except MailUnavailableError:
            with self._file.writing() as connection:
                self._resets(connection).drop(created.id)
            raise
        return created.id

    def reset_password(
        self, email: str, code: str, password: str, reset_id: UUID | None = None
    ) -> IdentityRefusal | None:
        """See `IdentityProvider`."""
        problem = weakness(password, email, "")
        if problem is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
        hashed = self._passwords.hashed(password)
        with self._file.writing() as connection:
            accounts, resets = Accounts(connection), self._resets(connection)
            account = accounts.account_of(email)
            if account is None or resets.matching(email, code, reset_id) is None:
                return _WRONG_CODE
            problem = weakness(password, account.email, account.name)
            if problem is not None:
                return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
            resets.drop_all(email)
            accounts.change(account.sub, password=hashed, confirmed=True)
            OneTimeTokens(connection, self._clock()).end_sessions(account.sub)
        if not account.confirmed:
            self._after_confirmation(account)
        return None

    def change_password(self, access_token: str, old: str, new: str) -> IdentityRefusal | None:
        """See `IdentityProvider`. The gateway has verified the token.

        Ends all other sessions of the account, including those whose tokens were not fetched yet.
        """
        claims = _claims_of(access_token)
        with self._file.reading() as connection:
            account = Accounts(connection).account(claims.sub) if claims else None
            password_hash = Accounts(connection).password_hash(account.sub) if account else None
        if claims is None or account is None or not account.enabled:
            return _SESSION_OVER
        if not self._passwords.match(old, password_hash):
            return _WRONG_CREDENTIALS
        problem = weakness(new, account.email, account.name)
        if problem is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
        hashed = self._passwords.hashed(new)
        with self._file.writing() as connection:
            if not Accounts(connection).replace_password(account.sub, password_hash, hashed):
                return _WRONG_CREDENTIALS
            self._drop_resets(connection, account)
            OneTimeTokens(connection, self._clock()).end_sessions(account.sub, but=claims.origin_jti)
        return None

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """See `IdentityProvider`."""
        parameters = {
            "response_type": "code",
            "client_id": self._settings.identity.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        base = self._settings.identity.hosted_url or self._settings.api.public_url
        return f"{base.rstrip('/')}{SIGN_IN_PATH}?{urlencode(parameters)}"

    def authorize(
        self, email: str, password: str, redirect_uri: str, code_challenge: str | None
    ) -> str | IdentityRefusal:
        """Create an authorization code after the correct password was entered on the sign-in page."""
        verified = self._verify_password(email, password)
        if isinstance(verified, IdentityRefusal):
            return verified
        with self._file.writing() as connection:
            account = Accounts(connection).if_unchanged(*verified)
            if account is None:
                return _WRONG_CREDENTIALS
            return OneTimeTokens(connection, self._clock()).new_authorization_code(
                account.sub, redirect_uri, code_challenge
            )

    def exchange_code(
        self, code: str, redirect_uri: str, code_verifier: str | None
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            tokens = OneTimeTokens(connection, self._clock())
            authorized = tokens.spend_authorization_code(code, redirect_uri, code_verifier, uuid4())
            if isinstance(authorized, ReusedCredential):
                return authorized
            account = Accounts(connection).account(authorized.sub) if authorized else None
            if authorized is None or account is None or not account.enabled:
                return _WRONG_CODE
            session, refresh_token = self._new_session(connection, account, authorized.session_id)
        return self._tokens(account, session, refresh_token)

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        """See `IdentityProvider`."""
        problem = weakness(password, email, name) if password is not None else None
        if problem is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
        hashed = None if password is None else self._passwords.hashed(password)
        new = new_account(uuid4(), email, name, self._clock(), confirmed=True)
        account = replace(new, groups=(Role.USER.value,))
        try:
            with self._file.writing() as connection:
                Accounts(connection).add([account], hashed)
        except IntegrityError:
            return _IN_USE
        return account

    def set_password(self, sub: UUID, password: str) -> IdentityRefusal | None:
        """Set the password of an account as an administrator. Refusal: `weak_password`."""
        account = self.account(sub)
        problem = weakness(password, account.email if account else None, account.name if account else "")
        if problem is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, problem)
        hashed = self._passwords.hashed(password)
        with self._file.writing() as connection:
            Accounts(connection).change(sub, password=hashed)
            self._drop_resets(connection, account)
        return None

    def rename(self, sub: UUID, name: str) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).change(sub, name=normalized_text(name))

    def set_enabled(self, sub: UUID, *, enabled: bool) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).change(sub, enabled=enabled)
            if not enabled:
                OneTimeTokens(connection, self._clock()).end_sessions(sub)

    def delete(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).remove(sub)

    def _verify_password(self, email: str, password: str) -> _VerifiedPassword | IdentityRefusal:
        """Verify a password. The transaction that relies on it checks that the password has not changed since."""
        with self._file.reading() as connection:
            account = Accounts(connection).account_of(email)
            password_hash = Accounts(connection).password_hash(account.sub) if account else None
            newest = self._sign_ups(connection).newest(email)
        if not self._passwords.match(password, password_hash) or account is None or password_hash is None:
            # Also for a sign-up of an address in use. Otherwise the answer reveals that the account exists.
            is_waiting = self._passwords.match(password, newest.password if newest else None)
            return _NOT_CONFIRMED if is_waiting else _WRONG_CREDENTIALS
        if not account.enabled:
            return _DISABLED
        if not account.confirmed:
            return _NOT_CONFIRMED
        if self._passwords.is_outdated(password_hash):
            hashed = self._passwords.hashed(password)
            with self._file.writing() as connection:
                if not Accounts(connection).replace_password(account.sub, password_hash, hashed):
                    return _WRONG_CREDENTIALS
            return _VerifiedPassword(account.sub, hashed)
        return _VerifiedPassword(account.sub, password_hash)

    def _new_session(
        self, connection: Connection, account: Account, session_id: UUID
    ) -> tuple[RefreshableSession, str]:
        session = RefreshableSession(account.sub, session_id, int(self._clock().timestamp()))
        return session, OneTimeTokens(connection, self._clock()).new_refresh_token(session, self._refresh_lifetime)

    def _tokens(self, account: Account, session: RefreshableSession, refresh_token: str) -> Tokens:
        groups = self.triggers.groups_in_token(account) if self.triggers else account.groups
        subject = Subject(account.sub, account.email, account.name, groups, session.session_id, session.auth_time)
        return Tokens(
            access_token(self._settings, subject, self._access_lifetime, self._clock),
            id_token(self._settings, subject, self._access_lifetime, self._clock),
            refresh_token,
            int(self._access_lifetime.total_seconds()),
        )

    def _after_confirmation(self, account: Account) -> None:
        if self.triggers is not None:
            self.triggers.confirmed(account)
        else:
            self.add_to_group(account.sub, Role.USER)

    @staticmethod
    def _new_code_of_newest(sign_ups: MailedCodes, email: str, network: str) -> str | None:
        """A code for a copy of the newest record, which stays valid: the caller may be a stranger."""
        newest = sign_ups.newest(email)
        created = newest and sign_ups.create(email, network, name=newest.name, password=newest.password)
        return created.code if created else None

    def _drop_resets(self, connection: Connection, account: Account | None) -> None:
        if account is not None and account.email is not None:
            self._resets(connection).drop_all(account.email)

    def _sign_ups(self, connection: Connection) -> MailedCodes:
        return MailedCodes(connection, SIGN_UP, self._clock())

    def _resets(self, connection: Connection) -> MailedCodes:
        return MailedCodes(connection, RESET, self._clock())


def _claims_of(token: str) -> _Claims | None:
    try:
        payload = token.split(".")[1]
        return _claims.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, IndexError):
        return None
