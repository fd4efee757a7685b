"""The personal data of one user in the tables of all areas."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from domain.attendance.member_keys import MemberKeyRepository
from domain.door.tables import machine_requests, machine_uses, open_visits, scans, visits
from domain.identity.tables import sessions, user_changes, user_roles, users
from domain.memberships.tables import ledger_entries, memberships
from domain.payments.tables import invoices, orders


class PersonalDataRepository:
    """Exports and erases personal data in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def export(self, user_id: UUID) -> dict[str, list[dict[str, Any]]]:
        """All rows of a user as JSON values, by what they are."""
        return {
            "account": self._rows(users, users.c.id == user_id),
            "roles": self._rows(user_roles, user_roles.c.user_id == user_id),
            "sessions": self._rows(sessions, sessions.c.user_id == user_id),
            "memberships": self._rows(memberships, memberships.c.member_id == user_id),
            "ledger": self._rows(ledger_entries, ledger_entries.c.member_id == user_id),
            "orders": self._rows(orders, orders.c.member_id == user_id),
            "invoices": self._rows(invoices, invoices.c.member_id == user_id),
            "visits": self._rows(visits, visits.c.member_id == user_id),
            "scans": self._rows(scans, scans.c.member_id == user_id),
            "machine_uses": self._rows(machine_uses, machine_uses.c.member_id == user_id),
            "machine_requests": self._rows(machine_requests, machine_requests.c.member_id == user_id),
            "history": self._rows(user_changes, user_changes.c.user_id == user_id),
        }

    def gym_of_open_visit(self, user_id: UUID) -> UUID | None:
        """The gym where a visit of the user is open."""
        query = select(open_visits.c.gym_id).where(open_visits.c.member_id == user_id)
        gym_id: UUID | None = self._connection.execute(query).scalar_one_or_none()
        return gym_id

    def forget_key(self, user_id: UUID) -> None:
        """Delete the user's key in the attendance archive."""
        MemberKeyRepository(self._connection).forget(user_id)

    def erase(self, user_id: UUID) -> None:
        """Remove the user from the records that stay; `users` and `user_changes` are left to `UserRepository`."""
        for table in (scans, visits, machine_uses):
            self._connection.execute(update(table).where(table.c.member_id == user_id).values(member_id=None))
        self.forget_key(user_id)
        self._connection.execute(delete(machine_requests).where(machine_requests.c.member_id == user_id))
        self._connection.execute(delete(user_roles).where(user_roles.c.user_id == user_id))
        self._connection.execute(update(sessions).where(sessions.c.user_id == user_id).values(device="", address=""))

    def _rows(self, table: Table, condition: ColumnElement[bool]) -> list[dict[str, Any]]:
        columns = [column for column in table.columns if column.name != "search_name"]  # it repeats the name
        rows = self._connection.execute(select(*columns).where(condition).order_by(*table.primary_key.columns))
        return [{name: _plain(value) for name, value in row.items()} for row in rows.mappings()]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
