"""The local identity provider: what Cognito does, on a file of this machine."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple, Protocol
from urllib.parse import urlencode
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from domain.clock import Clock, system_clock
from domain.identity.model import IdentityProblem, IdentityRefusal, Role, Tokens
from domain.identity.ports import Account, Mail, MailAwayError, Mailer
from domain.text import kept
from integrations.local_identity.accounts import Accounts, new_account
from integrations.local_identity.codes import Codes, Purpose, Refreshable
from integrations.local_identity.directory import LocalDirectory
from integrations.local_identity.keys import NoLocalIdentityError
from integrations.local_identity.mails import confirm_mail, reset_mail
from integrations.local_identity.passwords import Passwords, weakness
from integrations.local_identity.tables import AccountsFile
from integrations.local_identity.tokens import Subject, access_token, id_token
from integrations.settings import Settings

_IN_USE = IdentityRefusal(IdentityProblem.EMAIL_IN_USE, "There is an account of this address already.")
_WRONG = IdentityRefusal(IdentityProblem.WRONG_CREDENTIALS, "The address or the password is wrong.")
_WRONG_CODE = IdentityRefusal(
    IdentityProblem.WRONG_CODE, "The code is wrong, was used, or is too old. Ask for another."
)
_NOT_CONFIRMED = IdentityRefusal(
    IdentityProblem.NOT_CONFIRMED, "The address was not confirmed yet. Enter the code that was sent to it."
)
_DISABLED = IdentityRefusal(IdentityProblem.ACCOUNT_DISABLED, "This account was disabled; staff can help.")
_OVER = IdentityRefusal(IdentityProblem.SESSION_OVER, "This session has ended. Sign in again.")
PAGE = "/api/identity/oauth2/authorize"
CODE_TAKES_S = 0.1  # what writing and sending one takes where the mail server is near


class _Claims(msgspec.Struct):
    sub: UUID


class _Proof(NamedTuple):
    sub: UUID
    kept: str


_subject = msgspec.json.Decoder(_Claims)


class Triggers(Protocol):
    """What is called where a user pool calls its Lambda functions."""

    def confirmed(self, account: Account) -> None:
        """PostConfirmation."""

    def groups_in_token(self, account: Account) -> tuple[str, ...]:
        """PreTokenGeneration: the groups that a token says."""


class LocalProvider(LocalDirectory):
    """Accounts, passwords, tokens and the directory; see `domain.identity.ports`.

    Args:
        settings: name the file, the keys, and how hard a password is to hash.
        mailer: takes codes.
        clock: the present.
        passwords: what hashes, by default as the settings say.
    """

    def __init__(
        self, settings: Settings, mailer: Mailer, clock: Clock = system_clock, passwords: Passwords | None = None
    ) -> None:
        if settings.identity.accounts_file is None:
            raise NoLocalIdentityError("there is no local identity provider here")
        super().__init__(AccountsFile(settings.identity.accounts_file))
        self.triggers: Triggers | None = None
        self._settings = settings
        self._mailer = mailer
        self._clock = clock
        self._passwords = passwords or Passwords(settings.identity)
        self._access_lifetime = timedelta(minutes=settings.identity.token_minutes)
        self._refresh_lifetime = timedelta(days=settings.identity.refresh_days)

    def close(self) -> None:
        """Give back the file."""
        self._file.close()

    def sign_up(self, email: str, password: str, name: str) -> UUID | IdentityRefusal:
        """See `IdentityProvider`."""
        wrong = weakness(password, email, name)
        if wrong is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
        hashed = self._passwords.hashed(password)  # of a known address too: both take as long
        account = new_account(uuid4(), email, name, self._clock(), confirmed=False)
        try:
            with self._file.writing() as connection:
                Accounts(connection).add([account], hashed)
                code = Codes(connection, self._clock()).new_code(account.sub, Purpose.CONFIRM)
        except IntegrityError:
            return _IN_USE
        try:
            self._mailer.send(confirm_mail(account.email or "", code))
        except MailAwayError:
            self.delete(account.sub)  # nobody could confirm it, and whoever tries again would find the address in use
            raise
        return account.sub

    def confirm_sign_up(self, email: str, code: str) -> IdentityRefusal | None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            accounts, codes = Accounts(connection), Codes(connection, self._clock())
            account = accounts.account_of(email)
            if account is None or not (account.confirmed or codes.is_right(account.sub, Purpose.CONFIRM, code)):
                return _WRONG_CODE
            if account.confirmed:
                return None
            accounts.change(account.sub, confirmed=True)
            codes.drop(account.sub, Purpose.CONFIRM)
        self._after_confirmation(account)
        return None

    def resend_code(self, email: str) -> None:
        """See `IdentityProvider`."""
        self._send_code(email, Purpose.CONFIRM)

    def sign_in(self, email: str, password: str) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        proof = self._proof(email, password)
        if isinstance(proof, IdentityRefusal):
            return proof
        with self._file.writing() as connection:
            account = Accounts(connection).proven(*proof)
            if account is None:
                return _WRONG
            session, refresh_token = self._new_session(connection, account, uuid4())
        return self._tokens(account, session, refresh_token)

    def refresh(self, refresh_token: str) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            codes = Codes(connection, self._clock())
            session = codes.spend_refresh_token(refresh_token)
            account = Accounts(connection).account(session.sub) if session else None
            if session is None or account is None or not account.enabled:
                return _OVER
            successor = codes.new_refresh_token(session, self._refresh_lifetime)
        return self._tokens(account, session, successor)

    def revoke(self, refresh_token: str) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            codes = Codes(connection, self._clock())
            session_id = codes.session_of(refresh_token)
            if session_id is not None:
                codes.end_session(session_id)

    def sign_out_everywhere(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Codes(connection, self._clock()).end_sessions(sub)

    def forgot_password(self, email: str) -> None:
        """See `IdentityProvider`."""
        self._send_code(email, Purpose.RESET)

    def reset_password(self, email: str, code: str, password: str) -> IdentityRefusal | None:
        """See `IdentityProvider`."""
        wrong = weakness(password, email, "")
        if wrong is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
        hashed = self._passwords.hashed(password)
        with self._file.writing() as connection:
            accounts, codes = Accounts(connection), Codes(connection, self._clock())
            account = accounts.account_of(email)
            if account is None or not codes.is_right(account.sub, Purpose.RESET, code):
                return _WRONG_CODE
            wrong = weakness(password, account.email, account.name)
            if wrong is not None:
                return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
            codes.drop(account.sub, Purpose.RESET)
            accounts.change(account.sub, password=hashed, confirmed=True)
            codes.end_sessions(account.sub)
        if not account.confirmed:
            self._after_confirmation(account)
        return None

    def change_password(self, access_token: str, old: str, new: str) -> IdentityRefusal | None:
        """See `IdentityProvider`; the token is one that the gateway has verified."""
        sub = _subject_of(access_token)
        with self._file.reading() as connection:
            account = Accounts(connection).account(sub) if sub else None
            kept = Accounts(connection).password(account.sub) if account else None
        if account is None or not account.enabled:
            return _OVER
        if not self._passwords.match(old, kept):
            return _WRONG
        wrong = weakness(new, account.email, account.name)
        if wrong is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
        hashed = self._passwords.hashed(new)
        with self._file.writing() as connection:
            return None if Accounts(connection).replace_password(account.sub, kept, hashed) else _WRONG

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """See `IdentityProvider`."""
        asked = {
            "response_type": "code",
            "client_id": self._settings.identity.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        base = self._settings.identity.hosted_url or self._settings.api.public_url
        return f"{base.rstrip('/')}{PAGE}?{urlencode(asked)}"

    def authorize(
        self, email: str, password: str, redirect_uri: str, code_challenge: str | None
    ) -> str | IdentityRefusal:
        """The authorization code for whoever has given the right password on the provider's own page."""
        proof = self._proof(email, password)
        if isinstance(proof, IdentityRefusal):
            return proof
        with self._file.writing() as connection:
            account = Accounts(connection).proven(*proof)
            if account is None:
                return _WRONG
            return Codes(connection, self._clock()).new_authorization_code(account.sub, redirect_uri, code_challenge)

    def exchange_code(self, code: str, redirect_uri: str, code_verifier: str | None) -> Tokens | IdentityRefusal:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            codes = Codes(connection, self._clock())
            authorized = codes.spend_authorization_code(code, redirect_uri, code_verifier, uuid4())
            account = Accounts(connection).account(authorized.sub) if authorized else None
            if authorized is None or account is None or not account.enabled:
                return _WRONG_CODE
            session, refresh_token = self._new_session(connection, account, authorized.session_id)
        return self._tokens(account, session, refresh_token)

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        """See `IdentityProvider`."""
        wrong = weakness(password, email, name) if password is not None else None
        if wrong is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
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
        """Give an account a password, as an administrator may. Refused: `weak_password`."""
        account = self.account(sub)
        wrong = weakness(password, account.email if account else None, account.name if account else "")
        if wrong is not None:
            return IdentityRefusal(IdentityProblem.WEAK_PASSWORD, wrong)
        hashed = self._passwords.hashed(password)
        with self._file.writing() as connection:
            Accounts(connection).change(sub, password=hashed)
        return None

    def rename(self, sub: UUID, name: str) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).change(sub, name=kept(name))

    def set_enabled(self, sub: UUID, *, enabled: bool) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).change(sub, enabled=enabled)
            if not enabled:
                Codes(connection, self._clock()).end_sessions(sub)

    def delete(self, sub: UUID) -> None:
        """See `IdentityProvider`."""
        with self._file.writing() as connection:
            Accounts(connection).remove(sub)

    def _proof(self, email: str, password: str) -> _Proof | IdentityRefusal:
        """That the password is right; to be held against the account again in the transaction that relies on it."""
        with self._file.reading() as connection:
            account = Accounts(connection).account_of(email)
            kept = Accounts(connection).password(account.sub) if account else None
        if not self._passwords.match(password, kept) or account is None or kept is None:
            return _WRONG
        if not account.enabled:
            return _DISABLED
        if not account.confirmed:
            return _NOT_CONFIRMED
        if self._passwords.is_outdated(kept):
            hashed = self._passwords.hashed(password)
            with self._file.writing() as connection:
                if not Accounts(connection).replace_password(account.sub, kept, hashed):
                    return _WRONG
            return _Proof(account.sub, hashed)
        return _Proof(account.sub, kept)

    def _new_session(self, connection: Connection, account: Account, session_id: UUID) -> tuple[Refreshable, str]:
        session = Refreshable(account.sub, session_id, int(self._clock().timestamp()))
        return session, Codes(connection, self._clock()).new_refresh_token(session, self._refresh_lifetime)

    def _tokens(self, account: Account, session: Refreshable, refresh_token: str) -> Tokens:
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

    def _send_code(self, email: str, purpose: Purpose) -> None:
        with _no_sooner_than(CODE_TAKES_S):
            mail = self._mail_with_code(email, purpose)
            if mail is not None:
                self._mailer.send(mail)

    def _mail_with_code(self, email: str, purpose: Purpose) -> Mail | None:
        with self._file.writing() as connection:
            account = Accounts(connection).account_of(email)
            if account is None or (purpose is Purpose.CONFIRM and account.confirmed):
                return None
            code = Codes(connection, self._clock()).new_code(account.sub, purpose)
        return (confirm_mail if purpose is Purpose.CONFIRM else reset_mail)(account.email or "", code)


@contextmanager
def _no_sooner_than(seconds: float) -> Iterator[None]:
    """How soon it is answered does not tell whether there is such an account."""
    begun = time.monotonic()
    try:
        yield
    finally:
        time.sleep(max(0.0, begun + seconds - time.monotonic()))


def _subject_of(token: str) -> UUID | None:
    try:
        payload = token.split(".")[1]
        return _subject.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).sub
    except (ValueError, IndexError):
        return None
