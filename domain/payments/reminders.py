"""Mails before a membership ends: once each, and to nobody who has switched them off."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.memberships.days import day_of
from domain.tables import memberships, plans, reminders, users
from domain.unit_of_work import Store

DAYS_BEFORE = (7, 1)
_AT_ONCE = 500
_ENOUGH = 3  # failures after which it is not the address


@dataclass(frozen=True, slots=True)
class Reminder:
    """Who is told of which end. `ends_on`: the first day that is not paid for."""

    membership_id: UUID
    ends_on: str
    days_before: int
    email: str
    name: str
    plan_name: str


def due_reminders(connection: Connection, now: datetime) -> list[Reminder]:
    """Those that are due and that nobody was told of: the latest of each membership."""
    horizon = now + timedelta(days=max(DAYS_BEFORE) + 1)
    rows = connection.execute(
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
        .order_by(memberships.c.ends_at)
    ).all()  # fmt: skip
    due: list[Reminder] = []
    for row in rows:
        ends_on = day_of(row.ends_at, row.time_zone)
        left = (ends_on - day_of(now, row.time_zone)).days
        passed = [days for days in DAYS_BEFORE if left <= days]
        if passed:
            due.append(Reminder(row.id, ends_on.isoformat(), min(passed), row.email, row.name, row.plan_name))
    told = {
        (row.membership_id, row.ends_on, row.days_before)
        for row in connection.execute(
            select(reminders).where(reminders.c.membership_id.in_([each.membership_id for each in due]))
        )
    } if due else set()  # fmt: skip
    return [each for each in due if (each.membership_id, each.ends_on, each.days_before) not in told][:_AT_ONCE]


def send_reminders(store: Store, send: Callable[[Reminder], None], now: datetime) -> int:
    """Send those that are due. Each is claimed before it is sent, so that two at once send it once.

    Args:
        send: sends one, or raises; then it is due again, and the others go on, unless several fail.

    Returns:
        How many were sent.
    """
    with store.reading() as connection:
        due = due_reminders(connection, now)
    sent = failures = 0
    for reminder in due:
        key = {
            "membership_id": reminder.membership_id,
            "ends_on": reminder.ends_on,
            "days_before": reminder.days_before,
        }
        same = [reminders.c[name] == value for name, value in key.items()]
        try:
            with store.writing() as connection:
                connection.execute(insert(reminders).values(**key, claimed_at=now))
        except IntegrityError:
            continue  # somebody else tells them
        try:
            send(reminder)
        except Exception:
            with store.writing() as connection:
                connection.execute(delete(reminders).where(*same))
            failures += 1
            if failures == _ENOUGH:
                raise  # it is not this one address
            continue
        with store.writing() as connection:
            connection.execute(update(reminders).where(*same).values(sent_at=now))
        sent += 1
    return sent
