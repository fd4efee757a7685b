"""Mails before a membership ends: once each, and to nobody who has switched them off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from domain.identity.ports import MailAwayError, MailDeferredError, MailRefusedError
from domain.identity.tables import users
from domain.memberships.days import day_of
from domain.memberships.tables import memberships, plans, reminders
from domain.unit_of_work import Store

DAYS_BEFORE = (7, 1)
_AT_ONCE = 500
_ENOUGH = 3  # failures in a row after which it is not the address
_log = structlog.get_logger(__name__)


class End(NamedTuple):
    """The end of a membership, in the order in which they are gone through."""

    ends_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Reminder:
    """Who is told of which end. `ends_on`: the first day that is not paid for."""

    membership_id: UUID
    ends_on: str
    days_before: int
    email: str
    name: str
    plan_name: str


class Told(NamedTuple):
    """What became of the mails of one round: sent, refused for good, or to be tried again."""

    sent: int
    refused: int
    failed: int


def due_reminders(connection: Connection, now: datetime, after: End | None = None) -> tuple[list[Reminder], End | None]:
    """Some of those that are due and that nobody was told of: the latest of each membership.

    Args:
        connection: of a unit of work.
        now: the present.
        after: where to go on; None: at the beginning.

    Returns:
        They, and where the next ones are; None where these were the last.
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
    rows = connection.execute(query).all()
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
    untold = [each for each in due if (each.membership_id, each.ends_on, each.days_before) not in told]
    return untold, End(rows[-1].ends_at, rows[-1].id) if len(rows) == _AT_ONCE else None


def send_reminders(store: Store, send: Callable[[Reminder], None], now: datetime) -> Told:
    """Send those that are due. Each is claimed before it is sent, so that two at once send it once.

    One that is refused for good is not due any more. One that fails for another reason is due again, and the others
    go on, unless several in a row could not be handed over: then the server takes none.

    Args:
        store: the database.
        send: sends one, or raises.
        now: the present.

    Raises:
        MailAwayError: the server takes no mail; the rest stays due.
        LeaseLostError: the store is a fenced one, and somebody else sends.
    """
    sent = refused = failed = in_a_row = 0
    after: End | None = None
    while True:
        with store.reading() as connection:
            due, after = due_reminders(connection, now, after)
        for reminder in due:
            row = _row(reminder)
            if not _claimed(store, row, now):
                continue  # somebody else tells them
            try:
                send(reminder)
            except MailRefusedError as error:
                _keep(store, row, refused_at=now)
                _log.warning("reminder_refused", membership_id=str(reminder.membership_id), reason=str(error))
                refused += 1
                in_a_row = 0  # the server answers
            except Exception as error:
                with store.writing() as connection:
                    connection.execute(delete(reminders).where(*_same(row)))
                if not isinstance(error, MailAwayError):
                    _log.exception("reminder_failed", membership_id=str(reminder.membership_id))
                failed += 1
                in_a_row = 0 if isinstance(error, MailDeferredError) else in_a_row + isinstance(error, MailAwayError)
                if in_a_row == _ENOUGH:
                    raise
            else:
                _keep(store, row, sent_at=now)
                sent += 1
                in_a_row = 0
        if after is None:
            return Told(sent, refused, failed)


def _row(reminder: Reminder) -> dict[str, Any]:
    return {
        "membership_id": reminder.membership_id,
        "ends_on": reminder.ends_on,
        "days_before": reminder.days_before,
    }


def _same(row: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [reminders.c[name] == value for name, value in row.items()]


def _claimed(store: Store, row: Mapping[str, Any], now: datetime) -> bool:
    try:
        with store.writing() as connection:
            connection.execute(insert(reminders).values(**row, claimed_at=now))
    except IntegrityError:
        return False
    return True


def _keep(store: Store, row: Mapping[str, Any], **became: datetime) -> None:
    with store.writing() as connection:
        connection.execute(update(reminders).where(*_same(row)).values(**became))
