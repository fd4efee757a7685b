"""Jobs that run at an interval, each on one replica at a time: the holder of the job's lease."""

import time
from abc import abstractmethod
from collections.abc import Callable
from datetime import timedelta
from threading import Event

import structlog
from sqlalchemy.exc import SQLAlchemyError

from consumers.background_thread import BackgroundThread
from consumers.database import open_store
from consumers.failure_policy import describe_error
from domain.clock import Clock, system_clock
from domain.door.model import ExpireVisitsRequest
from domain.door.service import gyms_with_forgotten_visits
from domain.errors import UnavailableError
from domain.identity.ports import Mail, Mailer, MailUnavailableError
from domain.ids import new_id
from domain.leases import LeaseLostError
from domain.memberships.reminder_repository import Reminder
from domain.memberships.reminders import send_reminders
from domain.payments.ports import PaymentProvider
from domain.payments.reconciliation import Reconciliation
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.messages import ExpireVisitsCommand
from integrations.lease import Lease
from integrations.settings import DatabaseSettings

_log = structlog.get_logger(__name__)

# When a holder is killed, suspended or cut off, another replica takes over after both times together.
LEASE_DURATION = timedelta(seconds=30)
LEASE_RETRY_S = 10.0
FAILURE_RETRY_S = 10.0
# Longer than any work without a transaction: reconciliation reads all pages of a list from the payment provider.
_HANGS_AFTER_S = 900.0


class PeriodicJob(BackgroundThread):
    """Runs at an interval while it holds its lease, and tries to take the lease while it does not.

    Args:
        name: of the thread and in the log.
        lease: of the job; its store checks the lease in each transaction.
        interval_s: from one run to the next, in seconds.
        monotonic: a monotonic clock, in seconds.
        stopping: ends the job once set; the job pauses by waiting for it.
    """

    def __init__(
        self,
        name: str,
        lease: Lease,
        interval_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__(name, monotonic, stopping)
        self._lease = lease
        self._interval_s = interval_s

    @property
    def healthy(self) -> bool:
        """Whether it works or waits for its lease. A job that hangs keeps its lease, and no other replica can work."""
        inactive_for_s = min(self.heartbeat_age_s, self._lease.seconds_since_check)
        return self.alive and inactive_for_s < self._interval_s + _HANGS_AFTER_S

    @abstractmethod
    def run_once(self) -> None:
        """Do the work that is due. Changes go through the lease's store, which checks the lease.

        Raises:
            LeaseLostError: the lease is lost, and the change was not made.
            UnavailableError: a system that the job needs does not respond.
        """

    def close(self) -> None:
        """Close what the job has opened, once it has ended."""
        self._lease.store.close()

    def run(self) -> None:
        """Run until stopped. After a failure it runs again soon, because work that is due stays due."""
        while not self._stopping.is_set():
            self._beat()
            pause_s = min(self._interval_s, FAILURE_RETRY_S)
            try:
                if self._lease.is_held or self._lease.try_acquire():
                    self.run_once()
                    pause_s = self._interval_s
            except (SQLAlchemyError, OSError, LeaseLostError, UnavailableError) as error:
                _log.warning("job_postponed", job=self._name, reason=describe_error(error))
            except Exception:  # noqa: BLE001 - retried, like every other failure
                _log.exception("job_failed", job=self._name)
                self._lease.release()  # another replica may succeed
            self._stopping.wait(pause_s if self._lease.is_held else min(self._interval_s, LEASE_RETRY_S))
        self._lease.release()
        self.close()


class ForgottenVisitsJob(PeriodicJob):
    """Asks the door to end forgotten visits, machine uses and similar, as soon as they expire.

    It changes nothing itself. The door does, on a command that is ordered with the other commands of the gym. A lost
    command is sent again in the next run.

    Args:
        lease: of the job.
        producer: produces the commands.
        clock: the current time.
        interval_s: from one run to the next, in seconds.
        monotonic, stopping: see `PeriodicJob`.
    """

    def __init__(
        self,
        lease: Lease,
        producer: CommandProducer,
        interval_s: float,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("forgotten-visits", lease, interval_s, monotonic, stopping)
        self._producer = producer
        self._clock = clock

    def run_once(self) -> None:
        """Send one command for each gym where something has expired. The door decides what exactly."""
        now = self._clock()
        with self._lease.store.reading() as connection:
            self._lease.check(connection)
            gym_ids = gyms_with_forgotten_visits(connection, now)
        if gym_ids:
            _log.info("forgotten_visits_found", gyms=len(gym_ids))
        self._producer.produce(
            [
                (gym_id, ExpireVisitsCommand(command_id=new_id(), expire=ExpireVisitsRequest(gym_id, now)))
                for gym_id in gym_ids
            ]
        )

    def close(self) -> None:
        """Send queued commands and close the producer."""
        self._producer.close()
        super().close()


class ReconciliationJob(PeriodicJob):
    """Handles missed events of the payment provider, and checks orders that stay open.

    Args:
        lease: of the job.
        provider: the payment provider.
        unchecked_for: orders that were checked within this time are skipped.
        interval_s: from one run to the next, in seconds.
        clock: the current time.
        stopping: see `PeriodicJob`.

    Attributes:
        failures: events, orders and refunds that failed. One that keeps failing counts in every run.
    """

    def __init__(
        self,
        lease: Lease,
        provider: PaymentProvider,
        unchecked_for: timedelta,
        interval_s: float,
        clock: Clock = system_clock,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("reconciler", lease, interval_s, stopping=stopping)
        self._reconciliation = Reconciliation(lease.store, provider, clock)
        self._unchecked_for = unchecked_for
        self.failures = 0

    def run_once(self) -> None:
        """Reconcile once."""
        done = self._reconciliation.run(self._unchecked_for)
        self.failures += done.failures
        if done.events_missed or done.mended or done.refunds_asked or done.unknown or done.problems or done.failures:
            _log.info(
                "payments_reconciled",
                events_missed=done.events_missed,
                orders_checked=done.orders_checked,
                orders_fixed=len(done.mended),
                refunds_asked=done.refunds_asked,
                unknown=len(done.unknown),
                failures=done.failures,
                problems={str(order_id): reason for order_id, reason in done.problems.items()},
            )


class ReminderJob(PeriodicJob):
    """Mails members before their membership ends.

    Args:
        lease: of the job.
        mailer: sends the mails.
        url: where a member extends the membership.
        interval_s: from one run to the next, in seconds.
        clock: the current time.
        stopping: see `PeriodicJob`.
    """

    def __init__(
        self,
        lease: Lease,
        mailer: Mailer,
        url: str,
        interval_s: float,
        clock: Clock = system_clock,
        stopping: Event | None = None,
    ) -> None:
        super().__init__("reminders", lease, interval_s, stopping=stopping)
        self._mailer = mailer
        self._url = url
        self._clock = clock

    def run_once(self) -> None:
        """Send the reminders that are due."""
        try:
            result = send_reminders(
                self._lease.store,
                lambda reminder: self._mailer.send(reminder_mail(reminder, self._url)),
                self._clock(),
            )
        except MailUnavailableError as error:
            _log.warning("job_postponed", job=self._name, reason=str(error))
            return
        if any(result):
            _log.info("reminders_sent", mails=result.sent, refused=result.refused, failed=result.failed)


def reminder_mail(reminder: Reminder, url: str) -> Mail:
    """The mail about the end of a membership."""
    when = "tomorrow" if reminder.days_before == 1 else f"in {reminder.days_before} days or less"
    text = (
        f"Hello {reminder.name},\n\n"
        f"your membership ({reminder.plan_name}) ends {when}. {reminder.ends_on} is the first day without it.\n"
        f"If you extend it before then, you lose no day: {url}\n\n"
        "You can turn off these emails in your account.\n"
    )
    return Mail(reminder.email, f"Your membership ends {when}", text)


def job_lease(settings: DatabaseSettings, name: str) -> Lease:
    """The lease of a job, with a connection of its own for the lease and the job.

    Args:
        settings: the database.
        name: of the lease, in the table `leases`.
    """
    return Lease(open_store(settings, round(LEASE_DURATION.total_seconds())), name, LEASE_DURATION)
