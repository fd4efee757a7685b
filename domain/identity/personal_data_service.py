"""Export and deletion of a user's personal data."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from domain.identity.model import Change, IdentityRefusal
from domain.identity.personal_data_repository import PersonalDataRepository
from domain.identity.repository import UserRepository
from domain.identity.service import UNKNOWN_USER
from domain.identity.session_repository import SessionRepository

DELETED_NAME = "Deleted member"


def export_account(connection: Connection, user_id: UUID) -> dict[str, Any]:
    """All personal data of a user, table by table, as JSON values. An unknown user has empty lists."""
    return PersonalDataRepository(connection).export(user_id)


def begin_deleting(connection: Connection, by_id: UUID, user_id: UUID, now: datetime) -> UUID | IdentityRefusal | None:
    """Mark an account as deleted, and forget its key in the attendance archive.

    The door and the archive lock the same row, so nobody enters on its passes after this, and it gets no new key.

    Returns:
        The gym of an open visit, which the door must end next.
    """
    users, personal_data = UserRepository(connection), PersonalDataRepository(connection)
    user = users.locked_user(user_id)
    if user is None:
        return UNKNOWN_USER
    if user.deleted_at is None:
        users.change(user_id, deleted_at=now)
        users.record(user_id, by_id, Change.DELETED, "", now)
    personal_data.forget_key(user_id)
    return personal_data.gym_of_open_visit(user_id)


def finish_deleting(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Remove the person from everything that stays: scans, visits, the user's row. Idempotent.

    Invoices stay as they were issued, because the law requires them for years. Orders and the ledger only have the id.

    Raises:
        ValueError: the account is not marked as deleted, or a visit is still open.
    """
    users, personal_data = UserRepository(connection), PersonalDataRepository(connection)
    user = users.locked_user(user_id)
    if user is None or user.deleted_at is None:
        raise ValueError("the account must be marked as deleted first")
    if personal_data.gym_of_open_visit(user_id) is not None:
        raise ValueError("the door must end the open visit first")
    personal_data.erase(user_id)
    users.forget_details(user_id)
    users.change(user_id, email=None, name=DELETED_NAME, picture_url=None, banned_at=None)
    SessionRepository(connection).end_all(user_id, now)
