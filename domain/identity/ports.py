"""What identity needs of the outside: a provider of accounts, its directory, its functions, and mail.

Cognito and the local provider fulfil these alike; one contract suite is run on both.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.identity.model import UNKNOWN_CLIENT, Client, IdentityRefusal, ReusedCredential, Role, Tokens


class ProviderAwayError(Exception):
    """The identity provider cannot be had for now, or wants fewer questions. Plain, so that it crosses processes."""


class MailAwayError(Exception):
    """The mail could not be handed over. Plain, so that it crosses processes."""


class MailDeferredError(MailAwayError):
    """The server takes no mail for this recipient now, and may later; it takes mail for others."""


class MailRefusedError(MailAwayError):
    """The server refuses this mail for good, for its recipient or for what it is; it takes mail for others."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the provider keeps it.

    Args:
        email: lower case; None of a federated account without one.
        groups: sorted; they may hold names of no role.
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
    """A part of the directory; `next` goes into `after` for the following part and is None at the end."""

    items: tuple[Account, ...]
    next: str | None


class IdentityProvider(Protocol):
    """Accounts, passwords and tokens.

    Every method may raise `ProviderAwayError`. Addresses are compared without regard to case. What is refused is
    a value. Methods may be called on several threads at once.
    """

    def sign_up(self, email: str, password: str, name: str, network: str = "") -> UUID | IdentityRefusal:
        """Open a sign-up and send its code to the address; no account exists until the code is entered.

        The local provider keeps each sign-up of an address apart, up to a bound; beyond it nothing is kept and nothing
        is sent. Cognito keeps one unconfirmed user of an address, which a later sign-up replaces.

        Args:
            email: the address.
            password, name: of the account that the code of this sign-up makes.
            network: from which it comes; one network opens a part of the bound only.

        Returns:
            The id of the sign-up: random, also where nothing was kept. Refused: `email_in_use`, `weak_password`.
        """

    def confirm_sign_up(self, email: str, code: str, sign_up_id: UUID | None = None) -> IdentityRefusal | None:
        """Make the account of a sign-up by its code; the other sign-ups of the address are dropped.

        Args:
            email: the address.
            code: as somebody typed it.
            sign_up_id: only this sign-up counts; None: every open sign-up of the address.

        Returns:
            None: the account exists since this call. Refused: `wrong_code`, in the same way for a wrong code, for an
            address without a sign-up, and for one whose account exists already.
        """

    def resend_code(self, email: str, sign_up_id: UUID | None = None, network: str = "") -> None:
        """Send another code of a sign-up. No open sign-up, or an account: nothing.

        With its id the new code replaces the former one. Without it the newest sign-up of the address gets a second
        code, and the first stays valid, so nobody invalidates the code of somebody else.
        """

    def sign_in(self, email: str, password: str) -> Tokens | IdentityRefusal:
        """Begin a session.

        Refused: `wrong_credentials` (an unknown account too); `not_confirmed` for the password of the newest open
        sign-up, which proves nothing; after the right password only: `account_disabled`, `new_password_needed`.
        """

    def refresh(
        self, refresh_token: str, client: Client = UNKNOWN_CLIENT
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """New tokens of the same session (`origin_jti`). Refused: `session_over`.

        The local provider rotates the refresh token. A spent one gets the same successor again for 10 s, if the same
        device presents it and the successor was not used; otherwise no token of the session is valid any more, and the
        caller must end the session itself. Cognito tells of no reuse.
        """

    def revoke(self, refresh_token: str) -> None:
        """End the session of a refresh token; an unknown token: nothing."""

    def sign_out_everywhere(self, sub: UUID) -> None:
        """End every session of an account; unknown: nothing."""

    def forgot_password(self, email: str, network: str = "") -> UUID:
        """Open a reset and send its code. An unknown account, or too many open resets: nothing is sent.

        The local provider keeps each reset of an account apart; Cognito knows the last code only.

        Returns:
            The id of the reset: random, also where nothing was sent.
        """

    def reset_password(
        self, email: str, code: str, password: str, reset_id: UUID | None = None
    ) -> IdentityRefusal | None:
        """Set a new password by a code; ends the other open resets, and confirms the account.

        Args:
            email: the address.
            code: as somebody typed it.
            password: the new one.
            reset_id: only this reset counts; None: every open reset of the account.

        Returns:
            Refused: `wrong_code` (an unknown account too), `weak_password`.
        """

    def change_password(self, access_token: str, old: str, new: str) -> IdentityRefusal | None:
        """Refused: `wrong_credentials`, `weak_password`, `session_over`."""

    def authorize_url(self, redirect_uri: str, state: str, code_challenge: str) -> str:
        """The hosted sign-in page (authorization code, PKCE S256)."""

    def exchange_code(
        self, code: str, redirect_uri: str, code_verifier: str | None
    ) -> Tokens | IdentityRefusal | ReusedCredential:
        """Tokens for an authorization code (RFC 6749 section 4.1.3). Refused: `wrong_code`. A code is good once.

        At the local provider a second use invalidates the refresh tokens of the first; the caller must end its session.
        """

    def create(self, email: str, name: str, password: str | None) -> Account | IdentityRefusal:
        """Make a confirmed account without mail, in the group `User`. Without a password: `forgot_password` sets one.

        Refused: `email_in_use`, `weak_password`.
        """

    def account(self, sub: UUID) -> Account | None:
        """One account with its groups."""

    def account_of(self, email: str) -> Account | None:
        """The account of an address, with its groups."""

    def rename(self, sub: UUID, name: str) -> None:
        """Change the name; unknown: nothing."""

    def set_enabled(self, sub: UUID, *, enabled: bool) -> None:
        """Disable or enable an account; disabling ends its sessions; unknown: nothing."""

    def delete(self, sub: UUID) -> None:
        """Delete an account; unknown: nothing."""


class Directory(Protocol):
    """All accounts and their groups, as the three functions use them. May raise `ProviderAwayError`."""

    def page(self, limit: int, after: str | None) -> AccountPage:
        """A part of all accounts, with their groups. `limit` at most 1,000; ValueError on an `after` that is none."""

    def account(self, sub: UUID) -> Account | None:
        """One account with its groups."""

    def enabled_members_of(self, group: str) -> set[UUID]:
        """Whoever is in a group and enabled."""

    def add_to_group(self, sub: UUID, group: str) -> None:
        """Put an account into a group, which is made where there is none; twice is harmless."""

    def remove_from_group(self, sub: UUID, group: str) -> None:
        """Take an account out of a group; twice is harmless."""


class RoleAction(StrEnum):
    """What `change_role` does."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class FunctionCaller:
    """On whose behalf a function is called: claims of a verified token."""

    sub: UUID
    groups: tuple[str, ...]


class IdentityFunctions(Protocol):
    """`list_users` and `change_role`: AWS Lambda functions in production, the same handlers in process elsewhere.

    May raise `ProviderAwayError`.
    """

    def list_users(self, caller: FunctionCaller, limit: int, after: str | None) -> AccountPage | IdentityRefusal:
        """Refused: `forbidden`."""

    def change_role(
        self, caller: FunctionCaller, user_id: UUID, role: Role, action: RoleAction
    ) -> Account | IdentityRefusal:
        """Refused: `forbidden`, `unknown_user`, `last_admin`."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in plain text. `code` is what the log of an embedded stack shows of it."""

    to: str
    subject: str
    text: str
    code: str | None = None


class Mailer(Protocol):
    """Where mail goes."""

    def send(self, mail: Mail) -> None:
        """Hand it over.

        Raises:
            MailAwayError: it could not be handed over; `MailDeferredError` and `MailRefusedError` say that only this
                mail could not.
        """
