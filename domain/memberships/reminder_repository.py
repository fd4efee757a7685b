"""Reminders in the database: which are due, and which were sent."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from domain.identity.tables import users
from domain.memberships.days import day_of
from domain.memberships.tables import memberships, plans, reminders

DAYS_BEFORE = (7, 1)
_AT_ONCE = 500


class ReminderCursor(NamedTuple):
    """The last membership that was read, in the order in which `due` reads them."""

    ends_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Reminder:
    """A mail to one member about one end of a membership.

    Args:
        ends_on: the first day that is not paid for, as ISO 8601.
        days_before: which of `DAYS_BEFORE` it is.
    """

    membership_id: UUID
    ends_on: str
    days_before: int
    email: str
    name: str
    plan_name: str


class ReminderRepository:
    """Reads and writes reminders in one unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def due(self, now: datetime, after: ReminderCursor | None = None) -> tuple[list[Reminder], ReminderCursor | None]:
        """Some of the reminders that are due and not sent: the latest of each membership.

        Args:
            after: where to continue; None: at the beginning.

        Returns:
            The reminders, and where the next ones begin; None after the last.
        """
        horizon = now + timedelta(days=max(DAYS_BEFORE) + 1)
        query = (
            select(
                memberships.c.id, memberships.c.ends_at, memberships.c.time_zone, users.c.email, users.c.name,
                plans.c.name.label("plan_name"),
            )
            .join(users, users.c.id == memberships.c.member_id)
            .join(plans, plans.c.id == memberships.c.plan_id)
            .where(
                memberships.c.ends_at > now,
                memberships.c.ends_at <= horizon,
                memberships.c.in_arrears_since.is_(None),
                users.c.email.is_not(None),
                users.c.reminders_off_at.is_(None),
                users.c.deleted_at.is_(None),
                users.c.disabled_at.is_(None),
                users.c.banned_at.is_(None),
            )
            .order_by(memberships.c.ends_at, memberships.c.id)
            .limit(_AT_ONCE)
        )  # fmt: skip
        if after is not None:
            later = memberships.c.ends_at > after.ends_at
            query = query.where(later | ((memberships.c.ends_at == after.ends_at) & (memberships.c.id > after.id)))
        rows = self._connection.execute(query).all()
        due: list[Reminder] = []
        for row in rows:
            ends_on = day_of(row.ends_at, row.time_zone)
            days_left = (ends_on - day_of(now, row.time_zone)).days
            passed = [days for days in DAYS_BEFORE if days_left <= days]
            if passed:
                due.append(Reminder(row.id, ends_on.isoformat(), min(passed), row.email, row.name, row.plan_name))
        sent = self._claimed([each.membership_id for each in due]) if due else set()
        unsent = [each for each in due if (each.membership_id, each.ends_on, each.days_before) not in sent]
        return unsent, ReminderCursor(rows[-1].ends_at, rows[-1].id) if len(rows) == _AT_ONCE else None

    def claim(self, reminder: Reminder, now: datetime) -> None:
        """Claim a reminder before it is sent.

        Raises:
            sqlalchemy.exc.IntegrityError: another process has claimed it.
        """
        row = {
            "membership_id": reminder.membership_id,
            "ends_on": reminder.ends_on,
            "days_before": reminder.days_before,
        }
        self._connection.execute(insert(reminders).values(**row, claimed_at=now))

    def release(self, reminder: Reminder) -> None:
        """Give up a claim: the reminder is due again."""
        self._connection.execute(delete(reminders).where(*_is(reminder)))

    def mark_sent(self, reminder: Reminder, now: datetime) -> None:
        """Store that the mail server took the mail."""
        self._connection.execute(update(reminders).where(*_is(reminder)).values(sent_at=now))

    def mark_refused(self, reminder: Reminder, now: datetime) -> None:
        """Store that the mail server refused the mail for good."""
        self._connection.execute(update(reminders).where(*_is(reminder)).values(refused_at=now))

    def _claimed(self, membership_ids: list[UUID]) -> set[tuple[UUID, str, int]]:
        query = select(reminders.c.membership_id, reminders.c.ends_on, reminders.c.days_before)
        rows = self._connection.execute(query.where(reminders.c.membership_id.in_(membership_ids)))
        return {(row.membership_id, row.ends_on, row.days_before) for row in rows}


def _is(reminder: Reminder) -> tuple[ColumnElement[bool], ...]:
    return (
        reminders.c.membership_id == reminder.membership_id,
        reminders.c.ends_on == reminder.ends_on,
        reminders.c.days_before == reminder.days_before,
    )
