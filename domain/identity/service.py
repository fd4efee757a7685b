"""Use cases of users and their sessions. They do not call the identity provider."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from domain.identity.email_addresses import usable_address
from domain.identity.model import (
    Caller,
    Change,
    Client,
    IdentityProblem,
    IdentityRefusal,
    Role,
    Session,
    User,
    explicit_roles,
)
from domain.identity.names import fitting_name
from domain.identity.ports import RoleAction
from domain.identity.repository import UserRepository
from domain.identity.session_repository import SessionRepository

SESSION_OVER = IdentityRefusal(IdentityProblem.SESSION_OVER, "This session has ended. Sign in again.")
UNKNOWN_USER = IdentityRefusal(IdentityProblem.UNKNOWN_USER, "There is no such user.")
DISABLED = IdentityRefusal(IdentityProblem.ACCOUNT_DISABLED, "The account is disabled. Ask the staff.")
LAST_ADMIN = IdentityRefusal(
    IdentityProblem.LAST_ADMIN, "This is the last enabled admin. Make another user an admin first."
)


def know_caller(connection: Connection, caller: Caller, client: Client, now: datetime) -> User | IdentityRefusal:
    """The user of a valid token. Creates the rows of the user and the session if they are missing.

    Address, name and groups of the token are stored, except groups of a token that was issued before the roles were
    changed here.
    """
    users, sessions = UserRepository(connection), SessionRepository(connection)
    session = sessions.session(caller.session_id)
    if session is not None and (session.ended_at is not None or session.user_id != caller.user_id):
        return SESSION_OVER
    user = users.locked_user(caller.user_id)
    if user is None:
        known = _new_user(users, caller, now)
    elif user.deleted_at is not None:
        return SESSION_OVER
    elif user.disabled_at is not None:
        return DISABLED
    else:
        known = _followed(users, user, caller, now)
    if session is None and isinstance(known, User):
        sessions.add(Session(caller.session_id, known.id, client.device, client.address, now, now, None))
    return known


def _new_user(users: UserRepository, caller: Caller, now: datetime) -> User | IdentityRefusal:
    email = usable_address(caller.email)
    if email is not None and users.user_of(email):
        # Otherwise two people would share one history.
        return IdentityRefusal(IdentityProblem.EMAIL_IN_USE, "Another account has this address. Ask the staff.")
    user = User(
        id=caller.user_id,
        email=email,
        name=_own_name(caller) or _account_name(caller),
        picture_url=None,
        banned_at=None,
        created_at=now,
        roles=explicit_roles(caller.groups),
    )
    users.add(user)
    users.record(user.id, None, Change.CREATED, "", now)
    return user


def _followed(users: UserRepository, user: User, caller: Caller, now: datetime) -> User | IdentityRefusal:
    email = user.email if caller.email is None else usable_address(caller.email)
    name = _own_name(caller) or user.name
    if email != user.email:
        if email is not None and users.user_of(email):
            return IdentityRefusal(IdentityProblem.EMAIL_IN_USE, "Another account has this address. Ask the staff.")
        users.record(user.id, None, Change.EMAIL_CHANGED, f"{user.email or 'none'} → {email or 'none'}", now)
    if (email, name) != (user.email, user.name):
        users.change(user.id, email=email, name=name)
    roles = explicit_roles(caller.groups)
    if user.roles_changed_at is not None and caller.issued_at <= user.roles_changed_at:
        roles = user.roles
    if roles != user.roles:
        users.set_roles(user.id, roles)
    return replace(user, email=email, name=name, roles=roles)


def _own_name(caller: Caller) -> str:
    """The name that the provider sends, shortened if necessary."""
    return fitting_name(caller.name or "")


def _account_name(caller: Caller) -> str:
    """The name of a user whose name the provider does not send."""
    called = (caller.email or caller.username or "").strip().lower()
    return fitting_name(called.partition("@")[0]) or str(caller.user_id)


def record_role(
    connection: Connection, by_id: UUID | None, user_id: UUID, role: Role, action: RoleAction, now: datetime
) -> User | IdentityRefusal:
    """Store that a role was added or removed. Older tokens then grant no more than the roles that are left."""
    users = UserRepository(connection)
    user = users.locked_user(user_id)
    if user is None or user.deleted_at is not None:
        return UNKNOWN_USER
    given = action is RoleAction.ADD
    roles = user.roles | {role} if given else user.roles - {role}
    users.set_roles(user_id, roles)
    users.change(user_id, roles_changed_at=now)
    users.record(user_id, by_id, Change.ROLE_GIVEN if given else Change.ROLE_TAKEN, role.value, now)
    return replace(user, roles=roles, roles_changed_at=now)


def set_enabled(
    connection: Connection, by_id: UUID | None, user_id: UUID, *, enabled: bool, now: datetime
) -> User | IdentityRefusal:
    """Disable an account, which ends its sessions, or enable it. Idempotent."""
    users = UserRepository(connection)
    user = users.locked_user(user_id)
    if user is None or user.deleted_at is not None:
        return UNKNOWN_USER
    if (user.disabled_at is None) == enabled:
        return user
    disabled_at = None if enabled else now
    users.change(user_id, disabled_at=disabled_at)
    users.record(user_id, by_id, Change.ENABLED if enabled else Change.DISABLED, "", now)
    if not enabled:
        SessionRepository(connection).end_all(user_id, now)
    return replace(user, disabled_at=disabled_at)


def rename(connection: Connection, by_id: UUID, user_id: UUID, name: str, now: datetime) -> User | IdentityRefusal:
    """Change a user's name."""
    users = UserRepository(connection)
    user = users.locked_user(user_id)
    if user is None or user.deleted_at is not None:
        return UNKNOWN_USER
    if name != user.name:
        users.change(user_id, name=name)
        users.record(user_id, by_id, Change.RENAMED, f"{user.name} → {name}", now)
    return replace(user, name=name)
