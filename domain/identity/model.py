"""Who calls, in which roles, and what is known of users and their sessions."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from uuid import UUID


class Role(StrEnum):
    """What somebody may do. The words are the groups of the identity provider."""

    USER = "User"
    STAFF = "Staff"
    ADMIN = "Admin"


_INCLUDES = {
    Role.USER: frozenset({Role.USER}),
    Role.STAFF: frozenset({Role.USER, Role.STAFF}),
    Role.ADMIN: frozenset({Role.USER, Role.STAFF, Role.ADMIN}),
}


def own_roles(groups: Iterable[str]) -> frozenset[Role]:
    """The roles that are named by groups, without those that they include; other groups are none."""
    known = {role.value: role for role in Role}
    return frozenset(known[group] for group in groups if group in known)


def roles_of(groups: Iterable[str]) -> frozenset[Role]:
    """The roles that groups give: Admin includes Staff, Staff includes User; other groups give none."""
    return frozenset().union(*(_INCLUDES[role] for role in own_roles(groups)))


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever stands behind a verified token.

    Args:
        user_id: the identity provider's `sub`, which is also the id in `users`.
        groups: the provider's, as the token names them.
        session_id: the provider's `origin_jti`: one sign-in, however often it is refreshed.
        issued_at, expires_at: of this token.
        email: None where the token does not say it, empty where the account has none.
        username, name: where the token says them.
    """

    user_id: UUID
    groups: tuple[str, ...]
    session_id: UUID
    issued_at: datetime
    expires_at: datetime
    email: str | None = None
    username: str | None = None
    name: str | None = None

    @property
    def roles(self) -> frozenset[Role]:
        """What the groups give, with everything that they include."""
        return roles_of(self.groups)

    def with_account(self, email: str, name: str) -> "Caller":
        """The same, with what the provider says of the account."""
        return replace(self, email=email, name=name)


UNKNOWN_NETWORK = "unknown"


@dataclass(frozen=True, slots=True)
class Client:
    """From where somebody signs in or tries to.

    Args:
        device: what the client calls itself (User-Agent), shortened.
        address: its IP address; empty where nobody knows it.
        device_cookie: what it shows of an earlier sign-in, as it came: nothing is believed of it yet.
    """

    device: str = ""
    address: str = ""
    device_cookie: str = field(default="", repr=False)

    @property
    def network(self) -> str:
        """What limits count by: an IPv4 address, or the 64 bits of an IPv6 network, in which each host has many.

        Clients without an address share one, so that no limit is off for them.
        """
        if ":" not in self.address:
            return self.address or UNKNOWN_NETWORK
        address = IPv6Address(self.address)
        mapped = address.ipv4_mapped
        return str(mapped if mapped is not None else IPv6Network((int(address), 64), strict=False))


UNKNOWN_CLIENT = Client()
"""Of which nothing is known."""


class UserState(StrEnum):
    """How an account stands."""

    ACTIVE = "active"
    DISABLED = "disabled"
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class User:
    """Whoever signed in once.

    Args:
        id: the identity provider's `sub`.
        email: None: no address that can be used.
        roles: those given, without included ones.
    """

    id: UUID
    email: str | None
    name: str
    picture_url: str | None
    banned_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None = None
    deleted_at: datetime | None = None
    roles_changed_at: datetime | None = None
    reminders_off_at: datetime | None = None
    roles: frozenset[Role] = frozenset()

    @property
    def wants_reminders(self) -> bool:
        """Whether the user gets mails before a membership ends."""
        return self.reminders_off_at is None

    @property
    def state(self) -> UserState:
        """How the account stands."""
        if self.disabled_at is not None:
            return UserState.DISABLED
        return UserState.ACTIVE if self.banned_at is None else UserState.BANNED


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users are listed; None is no condition. `search` begins a mail address, a name or a word of one."""

    search: str | None = None
    role: Role | None = None
    state: UserState | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in on one device."""

    id: UUID
    user_id: UUID
    device: str
    address: str
    created_at: datetime
    last_used_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionState:
    """What every replica must know of a session to trust its tokens.

    Args:
        roles: the user's present ones, with what they include.
        roles_changed_at: tokens issued before then give no more than `roles`.
    """

    user_id: UUID
    roles: frozenset[Role]
    roles_changed_at: datetime | None

    def allowed(self, caller: Caller) -> frozenset[Role]:
        """The roles that a token of the session still gives."""
        if self.roles_changed_at is None or caller.issued_at > self.roles_changed_at:
            return caller.roles
        return caller.roles & self.roles


class Change(StrEnum):
    """What was done to an account."""

    CREATED = "created"
    ROLE_GIVEN = "role_given"
    ROLE_TAKEN = "role_taken"
    DISABLED = "disabled"
    ENABLED = "enabled"
    RENAMED = "renamed"
    EMAIL_CHANGED = "email_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a word, not a secret
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class UserChange:
    """One entry of an account's history. `by_id` is None where it came from the provider or the command line."""

    id: UUID
    user_id: UUID
    by_id: UUID | None
    what: Change
    detail: str
    at: datetime


class IdentityProblem(StrEnum):
    """Why something about an account cannot be done. Stable: clients compare these; they are codes of the API."""

    EMAIL_IN_USE = "email_in_use"
    WRONG_CREDENTIALS = "wrong_credentials"
    NOT_CONFIRMED = "not_confirmed"
    WRONG_CODE = "wrong_code"
    WEAK_PASSWORD = "weak_password"  # noqa: S105 - a word, not a secret
    NEW_PASSWORD_NEEDED = "new_password_needed"  # noqa: S105 - a word, not a secret
    SESSION_OVER = "session_over"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_SESSION = "unknown_session"
    LAST_ADMIN = "last_admin"
    ACCOUNT_DISABLED = "account_disabled"
    NOT_ADMIN = "forbidden"


@dataclass(frozen=True, slots=True)
class IdentityRefusal:
    """A wish that is not fulfilled, and why.

    Args:
        retry_after_s: for `too_many_attempts`: seconds until another try is looked at.
    """

    problem: IdentityProblem
    detail: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class ReusedCredential:
    """A refresh token or an authorization code that is valid once was presented again: its session must end.

    Two parties have it, and nobody can tell which of them is the owner (RFC 9700 section 4.14.2).
    """

    sub: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in gives. `expires_in` is the access token's life in seconds."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
