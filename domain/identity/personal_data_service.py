"""What is kept of a user, told or forgotten: the export of an account, and its deletion."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, delete, select, update

from domain.door.tables import machine_requests, machine_uses, open_visits, scans, visits
from domain.identity.model import Change, IdentityRefusal
from domain.identity.repository import UserRepository
from domain.identity.service import UNKNOWN_USER
from domain.identity.session_repository import SessionRepository
from domain.identity.tables import sessions, user_changes, user_roles, users
from domain.memberships.tables import ledger_entries, memberships
from domain.payments.tables import invoices, orders

DELETED_NAME = "Deleted member"


def export_account(connection: Connection, user_id: UUID) -> dict[str, Any]:
    """Everything personal that is kept, table by table, as plain values; empty lists of an unknown user."""
    return {
        "account": _rows(connection, users, users.c.id == user_id),
        "roles": _rows(connection, user_roles, user_roles.c.user_id == user_id),
        "sessions": _rows(connection, sessions, sessions.c.user_id == user_id),
        "memberships": _rows(connection, memberships, memberships.c.member_id == user_id),
        "ledger": _rows(connection, ledger_entries, ledger_entries.c.member_id == user_id),
        "orders": _rows(connection, orders, orders.c.member_id == user_id),
        "invoices": _rows(connection, invoices, invoices.c.member_id == user_id),
        "visits": _rows(connection, visits, visits.c.member_id == user_id),
        "scans": _rows(connection, scans, scans.c.member_id == user_id),
        "machine_uses": _rows(connection, machine_uses, machine_uses.c.member_id == user_id),
        "machine_requests": _rows(connection, machine_requests, machine_requests.c.member_id == user_id),
        "history": _rows(connection, user_changes, user_changes.c.user_id == user_id),
    }


def begin_deleting(connection: Connection, by_id: UUID, user_id: UUID, now: datetime) -> UUID | IdentityRefusal | None:
    """Mark an account as deleted. The door takes the same lock, so nobody enters on its passes after this.

    Returns:
        The gym where a visit is open, which the door must end next; None where there is none.
    """
    repository = UserRepository(connection)
    user = repository.locked_user(user_id)
    if user is None:
        return UNKNOWN_USER
    if user.deleted_at is None:
        repository.change(user_id, deleted_at=now)
        repository.record(user_id, by_id, Change.DELETED, "", now)
    gym_id: UUID | None = connection.execute(
        select(open_visits.c.gym_id).where(open_visits.c.member_id == user_id)
    ).scalar_one_or_none()
    return gym_id


def finish_deleting(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Take the person out of everything that stays: scans, visits, the user's row. Once more changes nothing.

    Invoices stay as they were issued: the law has them kept for years. Orders and the ledger name nobody but the id.

    Raises:
        ValueError: the account is not marked as deleted, or a visit is still open.
    """
    repository = UserRepository(connection)
    user = repository.locked_user(user_id)
    if user is None or user.deleted_at is None:
        raise ValueError("an account is marked as deleted before it is forgotten")
    if connection.execute(select(open_visits.c.visit_id).where(open_visits.c.member_id == user_id)).first():
        raise ValueError("the door ends an open visit before its member is forgotten")
    connection.execute(update(scans).where(scans.c.member_id == user_id).values(member_id=None))
    connection.execute(update(visits).where(visits.c.member_id == user_id).values(member_id=None))
    connection.execute(update(machine_uses).where(machine_uses.c.member_id == user_id).values(member_id=None))
    connection.execute(delete(machine_requests).where(machine_requests.c.member_id == user_id))
    connection.execute(delete(user_roles).where(user_roles.c.user_id == user_id))
    repository.forget_details(user_id)
    repository.change(user_id, email=None, name=DELETED_NAME, picture_url=None, banned_at=None)
    SessionRepository(connection).end_all(user_id, now)
    connection.execute(update(sessions).where(sessions.c.user_id == user_id).values(device="", address=""))


def _rows(connection: Connection, table: Table, condition: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - SQLAlchemy's own
    own = [column for column in table.columns if column.name != "search_name"]  # which says what the name says
    rows = connection.execute(select(*own).where(condition).order_by(*table.primary_key.columns)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
