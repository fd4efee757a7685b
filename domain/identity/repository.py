"""Users, their roles, and the history of their accounts in the database."""

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, exists, false, insert, or_, select, update

from domain.identity.email_addresses import normal_address_or_none
from domain.identity.model import Change, Role, User, UserChange, UserFilter, UserState
from domain.identity.names import fitting
from domain.identity.tables import user_changes, user_roles, users
from domain.ids import new_id
from domain.paging import Page, PageRequest, page
from domain.text import search_key

_USER = (
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.picture_url,
    users.c.banned_at,
    users.c.created_at,
    users.c.disabled_at,
    users.c.deleted_at,
    users.c.roles_changed_at,
    users.c.reminders_off_at,
)
_LONGEST_DETAIL = 200


class UserRepository:
    """Reads and writes users in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def user(self, user_id: UUID) -> User | None:
        """One user, deleted or not."""
        row = self._connection.execute(select(*_USER).where(users.c.id == user_id)).one_or_none()
        return self._with_roles([row])[0] if row else None

    def locked_user(self, user_id: UUID) -> User | None:
        """One user, locked until the unit of work ends. The door locks users too."""
        row = self._connection.execute(select(*_USER).where(users.c.id == user_id).with_for_update()).one_or_none()
        return self._with_roles([row])[0] if row else None

    def user_of(self, email: str) -> User | None:
        """The user with an address."""
        row = self._connection.execute(select(*_USER).where(users.c.email == email)).one_or_none()
        return self._with_roles([row])[0] if row else None

    def users(self, filters: UserFilter, request: PageRequest) -> Page[User]:
        """The users that are not deleted, in the order of their ids."""
        query = select(*_USER).where(users.c.deleted_at.is_(None), *_conditions(filters)).order_by(users.c.id)
        if request.after:
            query = query.where(users.c.id > request.after)
        rows = self._connection.execute(query.limit(request.fetch)).all()
        return page(self._with_roles(rows), request, lambda user: user.id)

    def add(self, user: User) -> None:
        """Insert a user.

        Raises:
            sqlalchemy.exc.IntegrityError: the id or the address was taken meanwhile.
        """
        self._connection.execute(
            insert(users).values(
                id=user.id,
                email=user.email,
                name=user.name,
                picture_url=user.picture_url,
                banned_at=user.banned_at,
                created_at=user.created_at,
            )
        )
        self._add_roles(user.id, user.roles)

    def change(self, user_id: UUID, **values: object) -> None:
        """Update columns of a user."""
        if "name" in values:
            values["search_name"] = search_key(str(values["name"]))
        self._connection.execute(update(users).where(users.c.id == user_id).values(**values))

    def set_roles(self, user_id: UUID, roles: Collection[Role]) -> None:
        """Replace the roles of a user."""
        self._connection.execute(delete(user_roles).where(user_roles.c.user_id == user_id))
        self._add_roles(user_id, roles)

    def record(self, user_id: UUID, by_id: UUID | None, what: Change, detail: str, now: datetime) -> None:
        """Insert an entry of an account's history."""
        self._connection.execute(
            insert(user_changes).values(
                id=new_id(),
                user_id=user_id,
                by_id=by_id,
                what=what.value,
                detail=fitting(detail, _LONGEST_DETAIL),
                at=now,
            )
        )

    def password_changed_at(self, user_id: UUID) -> datetime | None:
        """When the password was last changed; None: never."""
        theirs = (user_changes.c.user_id == user_id, user_changes.c.what == Change.PASSWORD_CHANGED.value)
        query = select(user_changes.c.at).where(*theirs).order_by(user_changes.c.at.desc()).limit(1)
        return self._connection.execute(query).scalar_one_or_none()

    def history(self, user_id: UUID, request: PageRequest) -> Page[UserChange]:
        """The history of an account, newest first."""
        query = (
            select(user_changes)
            .where(user_changes.c.user_id == user_id)
            .order_by(user_changes.c.id.desc())
            .limit(request.fetch)
        )
        if request.after:
            query = query.where(user_changes.c.id < request.after)
        rows = self._connection.execute(query)
        changes = [UserChange(row.id, row.user_id, row.by_id, Change(row.what), row.detail, row.at) for row in rows]
        return page(changes, request, lambda change: change.id)

    def forget_details(self, user_id: UUID) -> None:
        """Erase personal data from the history: former names and addresses."""
        self._connection.execute(
            update(user_changes)
            .where(
                user_changes.c.user_id == user_id,
                user_changes.c.what.in_([Change.RENAMED.value, Change.EMAIL_CHANGED.value]),
            )
            .values(detail="")
        )

    def _add_roles(self, user_id: UUID, roles: Collection[Role]) -> None:
        if roles:
            self._connection.execute(
                insert(user_roles), [{"user_id": user_id, "role": role.value} for role in sorted(roles)]
            )

    def _with_roles(self, rows: Iterable[Row[*tuple[Any, ...]]]) -> list[User]:
        found = list(rows)
        kept: dict[UUID, set[Role]] = {}
        query = select(user_roles).where(user_roles.c.user_id.in_([row[0] for row in found]))
        for user_id, role in self._connection.execute(query) if found else ():
            kept.setdefault(user_id, set()).add(Role(role))
        return [replace(User(*row), roles=frozenset(kept.get(row[0], ()))) for row in found]


def _conditions(filters: UserFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.search:
        conditions.append(or_(false(), *_found(filters.search)))
    if filters.role is not None:
        conditions.append(exists().where(user_roles.c.user_id == users.c.id, user_roles.c.role == filters.role.value))
    states = {
        UserState.ACTIVE: [users.c.disabled_at.is_(None), users.c.banned_at.is_(None)],
        UserState.DISABLED: [users.c.disabled_at.is_not(None)],
        UserState.BANNED: [users.c.banned_at.is_not(None)],
    }
    return conditions + (states[filters.state] if filters.state else [])


def _found(words: str) -> Iterator[ColumnElement[bool]]:
    """Conditions for a search text: the beginning of an address, a name, or a word of a name."""
    address, name = unicodedata.normalize("NFC", words.strip()).lower(), search_key(words)
    if address:
        yield users.c.email.like(_literal(address) + "%", escape="!")
    if whole := normal_address_or_none(words):
        yield users.c.email == whole  # the domain may be typed in non-ASCII letters
    if name:
        yield users.c.search_name.like(_literal(name) + "%", escape="!")
        yield users.c.search_name.like("% " + _literal(name) + "%", escape="!")


def _literal(words: str) -> str:
    """Escape the wildcards of LIKE."""
    return words.replace("!", "!!").replace("%", "!%").replace("_", "!_")
