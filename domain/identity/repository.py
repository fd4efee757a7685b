"""Users and their roles in the database."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select

from domain.identity.model import Role
from domain.tables import user_roles, users


@dataclass(frozen=True, slots=True)
class User:
    """Whoever signed in once. `id` is the identity provider's `sub`."""

    id: UUID
    email: str
    name: str
    picture_url: str | None
    banned_at: datetime | None
    created_at: datetime


_USER = (users.c.id, users.c.email, users.c.name, users.c.picture_url, users.c.banned_at, users.c.created_at)


class UserRepository:
    """Questions and changes within one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def user(self, user_id: UUID) -> User | None:
        """One user."""
        row = self._connection.execute(select(*_USER).where(users.c.id == user_id)).one_or_none()
        return User(*row) if row else None

    def user_of(self, email: str) -> User | None:
        """The user of an address."""
        row = self._connection.execute(select(*_USER).where(users.c.email == email)).one_or_none()
        return User(*row) if row else None

    def add(self, user: User, roles: Collection[Role]) -> None:
        """Keep a new user.

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
        if roles:
            self._connection.execute(insert(user_roles), [{"user_id": user.id, "role": role.value} for role in roles])

    def roles(self, user_id: UUID) -> frozenset[Role]:
        """The roles that are kept of the user."""
        rows = self._connection.execute(select(user_roles.c.role).where(user_roles.c.user_id == user_id))
        return frozenset(Role(row.role) for row in rows)
