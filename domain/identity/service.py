"""What can be done about users."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.identity.model import Role
from domain.identity.repository import User, UserRepository


class UserProblem(StrEnum):
    """Why something about a user cannot be done. Stable: clients compare these."""

    EMAIL_IN_USE = "email_in_use"


@dataclass(frozen=True, slots=True)
class UserRefusal:
    """A wish that is not fulfilled, and why."""

    problem: UserProblem
    detail: str


def know_user(
    users: UserRepository, user_id: UUID, email: str, roles: Collection[Role], now: datetime
) -> User | UserRefusal:
    """The row of a user whose token was found valid, made where there is none.

    An address that another row holds is refused: two people would share one history. A row that
    exists is left as it is, since a token may be older than the last change.
    """
    if known := users.user(user_id):
        return known
    email = email.strip().lower()
    if users.user_of(email):
        return UserRefusal(UserProblem.EMAIL_IN_USE, "Another account holds this address; staff can help.")
    user = User(
        id=user_id,
        email=email,
        name=email.partition("@")[0] or email,
        picture_url=None,
        banned_at=None,
        created_at=now,
    )
    users.add(user, roles)
    return user
