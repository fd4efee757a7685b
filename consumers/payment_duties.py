"""What is done about payments without anybody's asking: reconciliation, and mails before a membership ends."""

from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from consumers.duty import Duty
from consumers.frozen import give_up_locks_when_frozen
from consumers.payments import patient
from domain.clock import Clock, system_clock
from domain.identity.ports import Mail, MailAwayError, Mailer
from domain.payments.ports import PaymentProvider, PaymentsAwayError
from domain.payments.reconcile import Reconciliation
from domain.payments.reminders import Reminder, send_reminders
from domain.unit_of_work import Store
from integrations.mail import mailer_of
from integrations.settings import Settings
from integrations.store_lock import StoreLock, store_lock
from integrations.stripe import StripePayments

_LOCK_LOST_AFTER_PACES = 3
_log = structlog.get_logger(__name__)


class Reconciler(Duty):
    """Makes up for events that were missed, and asks about orders that stay open.

    Args:
        store: the database.
        provider: of payments.
        unchecked_for: open orders that were asked about within that time are left alone.
        clock: the present.
        lock, pace_s: as in `Duty`; so are the others.
    """

    def __init__(
        self,
        store: Store,
        provider: PaymentProvider,
        unchecked_for: timedelta,
        lock: StoreLock,
        pace_s: float,
        clock: Clock = system_clock,
        **others: Any,  # noqa: ANN401 - handed on as they are
    ) -> None:
        super().__init__("reconciler", lock, pace_s, **others)
        self._reconciliation = Reconciliation(store, provider, clock)
        self._unchecked_for = unchecked_for
        self._store = store

    def work(self, connection: Connection) -> None:  # noqa: ARG002 - its own units of work take longer than one statement
        """One reconciliation."""
        try:
            done = self._reconciliation.run(self._unchecked_for)
        except PaymentsAwayError as error:
            _log.warning("reconciler_waits", reason=str(error))
            return
        if done.events_missed or done.mended or done.refunds_asked or done.unknown or done.problems:
            _log.info(
                "reconciled",
                events_missed=done.events_missed,
                orders_checked=done.orders_checked,
                mended=len(done.mended),
                refunds_asked=done.refunds_asked,
                unknown=len(done.unknown),
                problems={str(order_id): why for order_id, why in done.problems.items()},
            )

    def close(self) -> None:
        """Give back the connections."""
        self._store.close()


class Reminding(Duty):
    """Tells members before a membership ends.

    Args:
        store: the database.
        mailer: sends.
        url: where members are led to.
        clock: the present.
        lock, pace_s: as in `Duty`; so are the others.
    """

    def __init__(
        self,
        store: Store,
        mailer: Mailer,
        url: str,
        lock: StoreLock,
        pace_s: float,
        clock: Clock = system_clock,
        **others: Any,  # noqa: ANN401 - handed on as they are
    ) -> None:
        super().__init__("reminders", lock, pace_s, **others)
        self._store = store
        self._mailer = mailer
        self._url = url
        self._clock = clock

    def work(self, connection: Connection) -> None:  # noqa: ARG002 - as of the reconciler
        """Send what is due."""
        try:
            sent = send_reminders(self._store, lambda one: self._mailer.send(mail_of(one, self._url)), self._clock())
        except MailAwayError as error:
            _log.warning("reminders_wait", reason=str(error))
            return
        if sent:
            _log.info("reminders_sent", mails=sent)

    def close(self) -> None:
        """Give back the connections."""
        self._store.close()


def mail_of(reminder: Reminder, url: str) -> Mail:
    """The mail about an end."""
    when = "tomorrow" if reminder.days_before == 1 else f"in {reminder.days_before} days or less"
    text = (
        f"Hello {reminder.name},\n\n"
        f"your membership ({reminder.plan_name}) ends {when}: {reminder.ends_on} is the first day without it.\n"
        f"Whoever prolongs it before then loses no day: {url}\n\n"
        "You can switch these mails off in your account.\n"
    )
    return Mail(reminder.email, f"Your membership ends {when}", text)


def duties(settings: Settings) -> list[Duty]:
    """The duties of one replica, each with a lock and connections of its own."""
    own = settings.payments
    found: list[Duty] = [
        Reminding(
            _store(settings),
            mailer_of(settings),
            settings.api.public_url,
            _lock(settings, "reminders", own.remind_every_s),
            own.remind_every_s,
        )
    ]
    if settings.stripe.api_key.get_secret_value():
        found.append(
            Reconciler(
                _store(settings),
                StripePayments(patient(settings.stripe)),
                timedelta(seconds=own.unchecked_for_s),
                _lock(settings, "reconciler", own.reconcile_every_s),
                own.reconcile_every_s,
            )
        )
    return found


def _store(settings: Settings) -> Store:
    database = settings.database
    return Store(database.url.get_secret_value(), pool_size=1, statement_timeout_s=database.statement_timeout_s)


def _lock(settings: Settings, name: str, pace_s: float) -> StoreLock:
    store = _store(settings)
    give_up_locks_when_frozen(store.engine, max(90, round(_LOCK_LOST_AFTER_PACES * pace_s)))
    return store_lock(store.engine, name)
