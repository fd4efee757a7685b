"""Who calls, and in which roles."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
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


def roles_of(groups: Iterable[str]) -> frozenset[Role]:
    """The roles that groups give: Admin includes Staff, Staff includes User; other groups give none."""
    known = {role.value: role for role in Role}
    return frozenset().union(*(_INCLUDES[known[group]] for group in groups if group in known))


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever stands behind a verified access token.

    Args:
        user_id: the identity provider's `sub`, which is also the id in `users`.
        roles: with everything that they include.
        email, username: where the token says them.
    """

    user_id: UUID
    roles: frozenset[Role]
    email: str | None = None
    username: str | None = None
