"""Sends mails before a membership ends: each once, and to nobody who has switched them off."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import structlog
from sqlalchemy.exc import IntegrityError

from domain.identity.ports import MailDeferredError, MailRefusedError, MailUnavailableError
from domain.memberships.reminder_repository import Reminder, ReminderCursor, ReminderRepository
from domain.unit_of_work import Store

_SERVER_FAILS_AFTER = 3  # failures in a row: then the server is the cause, not one address
_log = structlog.get_logger(__name__)


class ReminderCounts(NamedTuple):
    """The mails of one round: sent, refused for good, or failed and due again."""

    sent: int
    refused: int
    failed: int


def send_reminders(store: Store, send: Callable[[Reminder], None], now: datetime) -> ReminderCounts:
    """Send the reminders that are due. Each is claimed first, so two processes at once send it once.

    A mail that is refused for good is not due again. A mail that fails otherwise is due again, and the round goes on
    with the next one, until several in a row fail: then the server takes no mail.

    Args:
        send: sends one mail, or raises.

    Raises:
        MailUnavailableError: the server takes no mail; the rest stays due.
        LeaseLostError: the store is a fenced one, and another process holds the lease.
    """
    sent = refused = failed = in_a_row = 0
    after: ReminderCursor | None = None
    while True:
        with store.reading() as connection:
            due, after = ReminderRepository(connection).due(now, after)
        for reminder in due:
            if not _claim(store, reminder, now):
                continue  # another process sends it
            try:
                send(reminder)
            except MailRefusedError as error:
                with store.writing() as connection:
                    ReminderRepository(connection).mark_refused(reminder, now)
                _log.warning("reminder_refused", membership_id=str(reminder.membership_id), reason=str(error))
                refused += 1
                in_a_row = 0  # the server answers
            except Exception as error:
                with store.writing() as connection:
                    ReminderRepository(connection).release(reminder)
                if not isinstance(error, MailUnavailableError):
                    _log.exception("reminder_failed", membership_id=str(reminder.membership_id))
                failed += 1
                in_a_row = (
                    0 if isinstance(error, MailDeferredError) else in_a_row + isinstance(error, MailUnavailableError)
                )
                if in_a_row == _SERVER_FAILS_AFTER:
                    raise
            else:
                with store.writing() as connection:
                    ReminderRepository(connection).mark_sent(reminder, now)
                sent += 1
                in_a_row = 0
        if after is None:
            return ReminderCounts(sent, refused, failed)


def _claim(store: Store, reminder: Reminder, now: datetime) -> bool:
    try:
        with store.writing() as connection:
            ReminderRepository(connection).claim(reminder, now)
    except IntegrityError:
        return False
    return True
