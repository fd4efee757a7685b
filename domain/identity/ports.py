"""Ports of identity: the provider of accounts, its directory, its functions, and mail.

Cognito and the local provider implement them; one contract suite runs on both.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.identity.model import UNKNOWN_CLIENT, Client, IdentityRefusal, ReusedCredential, Role, Tokens


class ProviderUnavailableError(Exception):
    """The identity provider does not answer, or limits the rate of calls. Can be pickled, so it crosses processes."""


class MailUnavailableError(Exception):
    """The mail could not be sent. Can be pickled, so it crosses processes."""


class MailDeferredError(MailUnavailableError):
    """The server takes no mail for this recipient now, but may later. It takes mail for others."""


class MailRefusedError(MailUnavailableError):
    """The server refuses this mail permanently. It takes other mails."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account at the provider.

    Args:
        email: lower case; None if a federated account has none.
        groups: sorted; some may name no role.
    """

    sub: UUID
    email: str | None
    name: str
    enabled: bool
    confirmed: bool
    created_at: datetime
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page of the directory. `next` is the `after` of the next page, None at the end."""

    items: tuple[Account, ...]
    next: str | None


class IdentityProvider(Protocol):
    """Accounts, passwords and tokens.

    Every method may raise `ProviderUnavailableError`. Addresses are compared without regard to case. Refusals are
    returned. Safe to share between threads.
    """

    def sign_up(self, email: str, password: str, name: str, network: str = "") -> UUID | IdentityRefusal:
        """Open a sign-up and send its code to the address. The account is created when the code is entered.

        The local provider keeps several sign-ups of an address, up to a limit. Beyond it nothing is kept or sent.
        Cognito keeps one unconfirmed user per address, which a later sign-up replaces.

        Args:
            email: the address.
            password, name: of the account that the code creates.
            network: of the client; one network can only use a part of the limit.

        Returns:
            The id of the sign-up: random, even if nothing was kept. Refused: `email_in_use`, `weak_password`.
        """

    def confirm_sign_up(self, email: str, code: str, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """Create the account of a sign-up with its code. The other sign-ups of the address are deleted.

        Args:
            email: the address.
            code: as it was typed.
            sign_up_id: only this sign-up counts; None: every open sign-up of the address.

        Returns:
            None: this call has created the account. Refused: `wrong_code`, alike for a wrong code, for an address
            without a sign-up, and for an address with an account.
        """

    def resend_code(self, email: str, sign_up_id: UUID | None = None, network: str = "") -> None:
        """Send another code of a sign-up. Does nothing without an open sign-up, or if there is an account.

        With an id the new code replaces the former one. Without it the newest sign-up of the address gets a second
        code and the first stays valid, so nobody can invalidate the code of another person.
        """

    def sign_in(self, email: str, password: str) -> Tokens | IdentityRefusal:
        """Begin a session.

        Refused: `wrong_credentials` (also for an unknown account); `not_confirmed` for the password of the newest open
        sign-up, which proves nothing; only after the right password: `account_disabled`, `new_password_needed`.
        """

    def refresh(
        self, refresh_token: str, client: Client = UNKNOWN_CLIENT
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """New tokens of the same session (`origin_jti`). Refused: `session_over`.

        The local provider rotates refresh tokens. A used one gets the same successor again for 10 s, if the same device
        presents it and the successor was not used. Otherwise all tokens of the session become invalid, and the caller
        must end the session. Cognito does not report reuse.
        """

    def revoke(self, refresh_token: str) -> None:
        """End the session of a refresh token. Does nothing for an unknown token."""

    def sign_out_everywhere(self, sub: UUID) -> None:
        """End every session of an account. Does nothing for an unknown account."""

    def forgot_password(self, email: str, network: str = "") -> UUID:
        """Open a reset and send its code. Nothing is sent for an unknown account, or with too many open resets.

        The local provider keeps several resets of an account; Cognito only knows the last code.

        Returns:
            The id of the reset: random, even if nothing was sent.
        """

    def reset_password(
        self, email: str, code: str, password: str, reset_id: UUID | None = None
    ) -> IdentityRefusal | None:
        """Set a new password with a code. Ends the other open resets, and confirms the account.

        Args:
            email: the address.
            code: as it was typed.
            password: the new one.
            reset_id: only this reset counts; None: every open reset of the account.

        Returns:
            Refused: `wrong_code` (also for an unknown account), `weak_password`.
        """

    def change_password(self, access_token: str, old: str, new: str) -> IdentityRefusal | None:
        """Refused: `wrong_credentials`, `weak_password`, `session_over`."""

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """The hosted sign-in page (authorization code, PKCE S256)."""

    def exchange_code(
        self, code: str, redirect_uri: str, code_verifier: str | None
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """Tokens for an authorization code (RFC 6749 section 4.1.3). Refused: `wrong_code`. A code is valid once.

        At the local provider a second use invalidates the refresh tokens of the first; the caller must end the session.
        """

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        """Create a confirmed account in the group `User`, without mail. `forgot_password` sets a missing password.

        Refused: `email_in_use`, `weak_password`.
        """

    def account(self, sub: UUID) -> Account | None:
        """One account with its groups."""

    def account_of(self, email: str) -> Account | None:
        """The account with an address, with its groups."""

    def rename(self, sub: UUID, name: str) -> None:
        """Change the name. Does nothing for an unknown account."""

    def set_enabled(self, sub: UUID, *, enabled: bool) -> None:
        """Disable an account, which ends its sessions, or enable it. Does nothing for an unknown account."""

    def delete(self, sub: UUID) -> None:
        """Delete an account. Does nothing for an unknown account."""


class Directory(Protocol):
    """All accounts and their groups, as the three functions use them. May raise `ProviderUnavailableError`."""

    def page(self, limit: int, after: str | None) -> AccountPage:
        """A page of all accounts with their groups. `limit` is at most 1,000.

        Raises:
            ValueError: `after` is invalid.
        """

    def account(self, sub: UUID) -> Account | None:
        """One account with its groups."""

    def enabled_members_of(self, group: str) -> set[UUID]:
        """The enabled accounts in a group."""

    def add_to_group(self, sub: UUID, group: str) -> None:
        """Add an account to a group, which is created if it is missing. Idempotent."""

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """Remove an account from a group. Idempotent."""


class RoleAction(StrEnum):
    """Actions of `change_role`."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class FunctionCaller:
    """The caller of a function: claims of a verified token."""

    sub: UUID
    groups: tuple[str, ...]


class IdentityFunctions(Protocol):
    """`list_users` and `change_role`: AWS Lambda functions with Cognito, otherwise the same handlers in process.

    May raise `ProviderUnavailableError`.
    """

    def list_users(self, caller: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """Refused: `forbidden`."""

    def change_role(
        self, caller: FunctionCaller, user_id: UUID, role: Role, action: RoleAction
    ) -> Account | IdentityRefusal:
        """Refused: `forbidden`, `unknown_user`, `last_admin`."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in plain text. `code` is shown in the log of an embedded stack."""

    to: str
    subject: str
    text: str
    code: str | None = None


class Mailer(Protocol):
    """The port of the mail server."""

    def send(self, mail: Mail) -> None:
        """Hand a mail to the mail server.

        Raises:
            MailUnavailableError: the mail could not be sent. `MailDeferredError`, `MailRefusedError`: only this mail.
        """
