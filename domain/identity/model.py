"""Callers, users, their roles and sessions, and refusals about them."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from uuid import UUID


class Role(StrEnum):
    """Roles. The values are the names of groups at the identity provider."""

    USER = "User"
    STAFF = "Staff"
    ADMIN = "Admin"


_INCLUDES = {
    Role.USER: frozenset({Role.USER}),
    Role.STAFF: frozenset({Role.USER, Role.STAFF}),
    Role.ADMIN: frozenset({Role.USER, Role.STAFF, Role.ADMIN}),
}


def explicit_roles(groups: Iterable[str]) -> frozenset[Role]:
    """The roles that groups name, without included ones. Unknown groups are ignored."""
    known = {role.value: role for role in Role}
    return frozenset(known[group] for group in groups if group in known)


def roles_of(groups: Iterable[str]) -> frozenset[Role]:
    """The roles that groups grant, with included ones: Admin includes Staff, Staff includes User."""
    return frozenset().union(*(_INCLUDES[role] for role in explicit_roles(groups)))


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of a verified token.

    Args:
        user_id: the identity provider's `sub`, which is also the id in `users`.
        groups: the provider's, as the token names them.
        session_id: the provider's `origin_jti`; it stays the same when tokens are refreshed.
        issued_at, expires_at: of this token.
        email: None if the token has none, empty if the account has none.
        username, name: None if the token has none.
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
        """The roles that the groups grant, with included ones."""
        return roles_of(self.groups)

    def with_account(self, email: str, name: str) -> "Caller":
        """The caller with data from the provider's account."""
        return replace(self, email=email, name=name)


UNKNOWN_NETWORK = "unknown"


@dataclass(frozen=True, slots=True)
class Client:
    """The client of a sign-in or an attempt.

    Args:
        device: what the client calls itself (User-Agent), shortened.
        address: its IP address; empty if unknown.
        device_cookie: of an earlier sign-in, as it was sent; not verified.
    """

    device: str = ""
    address: str = ""
    device_cookie: str = field(default="", repr=False)

    @property
    def network(self) -> str:
        """What limits count by: an IPv4 address, or the first 64 bits of an IPv6 address.

        Clients with an unknown address share one network, so limits hold for them too.
        """
        if ":" not in self.address:
            return self.address or UNKNOWN_NETWORK
        address = IPv6Address(self.address)
        mapped = address.ipv4_mapped
        return str(mapped if mapped is not None else IPv6Network((int(address), 64), strict=False))


UNKNOWN_CLIENT = Client()
"""A client without any data."""


class UserState(StrEnum):
    """The state of an account."""

    ACTIVE = "active"
    DISABLED = "disabled"
    BANNED = "banned"


@dataclass(frozen=True, slots=True)
class User:
    """A user: a person who has signed in at least once.

    Args:
        id: the identity provider's `sub`.
        email: None if there is no usable address.
        roles: without included ones.
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
        """The state of the account."""
        if self.disabled_at is not None:
            return UserState.DISABLED
        return UserState.ACTIVE if self.banned_at is None else UserState.BANNED


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users to list; None is no condition. `search`: the beginning of an address, a name, or a word of it."""

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
    """What a replica must know about a session to trust its tokens.

    Args:
        roles: the user's present roles, with included ones.
        roles_changed_at: tokens issued before this time grant no more than `roles`.
    """

    user_id: UUID
    roles: frozenset[Role]
    roles_changed_at: datetime | None

    def allowed(self, caller: Caller) -> frozenset[Role]:
        """The roles that a token of the session still grants."""
        if self.roles_changed_at is None or caller.issued_at > self.roles_changed_at:
            return caller.roles
        return caller.roles & self.roles


class Change(StrEnum):
    """Kinds of changes of an account."""

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
    """One entry of an account's history. `by_id` is None for changes by the provider or the command line."""

    id: UUID
    user_id: UUID
    by_id: UUID | None
    what: Change
    detail: str
    at: datetime


class IdentityProblem(StrEnum):
    """Reasons for a refusal. Stable, because clients compare them; they are codes of the API."""

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
    """A refused request and its reason.

    Args:
        retry_after_s: of `too_many_attempts`: seconds until the next attempt is accepted.
    """

    problem: IdentityProblem
    detail: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class ReusedCredential:
    """A refresh token or authorization code was used again, so its session must end.

    Two parties have it, and it is unknown which of them is the owner (RFC 9700 section 4.14.2).
    """

    sub: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a sign-in. `expires_in` is the lifetime of the access token in seconds."""

    access_token: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
