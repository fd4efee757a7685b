"""What is done about payments without anybody's asking: reconciliation, and mails before a membership ends."""

from datetime import timedelta
from typing import Any

import structlog

from consumers.duty import Duty, duty_lease
from consumers.payments import patient
from consumers.ports import LeaderLease
from domain.clock import Clock, system_clock
from domain.identity.ports import Mail, Mailer, MailUnavailableError
from domain.memberships.reminder_repository import Reminder
from domain.memberships.reminders import send_reminders
from domain.payments.ports import PaymentProvider, PaymentsUnavailableError
from domain.payments.reconciliation import Reconciliation
from integrations.mail import mailer_of
from integrations.settings import Settings
from integrations.stripe.provider import StripePayments

_log = structlog.get_logger(__name__)


class Reconciler(Duty):
    """Makes up for events that were missed, and asks about orders that stay open.

    Args:
        lease, pace_s: as in `Duty`; so are the others.
        provider: of payments.
        unchecked_for: open orders that were asked about within that time are left alone.
        clock: the present.
    """

    def __init__(
        self,
        lease: LeaderLease,
        provider: PaymentProvider,
        unchecked_for: timedelta,
        pace_s: float,
        clock: Clock = system_clock,
        **others: Any,  # noqa: ANN401 - handed on as they are
    ) -> None:
        super().__init__("reconciler", lease, pace_s, **others)
        self._reconciliation = Reconciliation(lease.store, provider, clock)
        self._unchecked_for = unchecked_for
        self.failures = 0  # events, orders and refunds that could not be dealt with; each counts in every round

    def work(self) -> None:
        """One reconciliation."""
        try:
            done = self._reconciliation.run(self._unchecked_for)
        except PaymentsUnavailableError as error:
            _log.warning("reconciler_waits", reason=str(error))
            return
        self.failures += done.failures
        if done.events_missed or done.mended or done.refunds_asked or done.unknown or done.problems or done.failures:
            _log.info(
                "reconciled",
                events_missed=done.events_missed,
                orders_checked=done.orders_checked,
                mended=len(done.mended),
                refunds_asked=done.refunds_asked,
                unknown=len(done.unknown),
                failures=done.failures,
                problems={str(order_id): why for order_id, why in done.problems.items()},
            )


class Reminding(Duty):
    """Tells members before a membership ends.

    Args:
        lease, pace_s: as in `Duty`; so are the others.
        mailer: sends.
        url: where members are led to.
        clock: the present.
    """

    def __init__(
        self,
        lease: LeaderLease,
        mailer: Mailer,
        url: str,
        pace_s: float,
        clock: Clock = system_clock,
        **others: Any,  # noqa: ANN401 - handed on as they are
    ) -> None:
        super().__init__("reminders", lease, pace_s, **others)
        self._mailer = mailer
        self._url = url
        self._clock = clock

    def work(self) -> None:
        """Send what is due."""
        try:
            told = send_reminders(
                self._lease.store, lambda one: self._mailer.send(mail_of(one, self._url)), self._clock()
            )
        except MailUnavailableError as error:
            _log.warning("reminders_wait", reason=str(error))
            return
        if any(told):
            _log.info("reminders_sent", mails=told.sent, refused=told.refused, failed=told.failed)


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
    """The duties of one replica, each with a lease and a connection of its own."""
    own = settings.payments
    reminders = duty_lease(settings, "reminders")
    found: list[Duty] = [Reminding(reminders, mailer_of(settings), settings.api.public_url, own.remind_every_s)]
    if settings.stripe.api_key.get_secret_value():
        found.append(
            Reconciler(
                duty_lease(settings, "reconciler"),
                StripePayments(patient(settings.stripe)),
                timedelta(seconds=own.unchecked_for_s),
                own.reconcile_every_s,
            )
        )
    return found
