"""The payments' consumer as a Serve deployment."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from consumers.health import check_loop, check_workers
from consumers.payments import PaymentConsumerDependencies, PaymentLoop, without_retries
from consumers.periodic_jobs import PeriodicJob, ReconciliationJob, ReminderJob, job_lease
from consumers.scaling import autoscaling_stats
from integrations.logs import configure_logging
from integrations.mail import open_mailer
from integrations.metrics import PAYMENT_DEAD_LETTERS, PAYMENT_EVENTS, PAYMENT_LAG, RECONCILIATION_FAILURES
from integrations.metrics_registry import MetricsRegistry, RayExporter
from integrations.replica import Replica
from integrations.settings import Settings, settings
from integrations.stripe.provider import StripePayments

if TYPE_CHECKING:
    from ray.serve import Application

# A batch calls the provider up to three times per order, eight orders at a time, eight seconds per call.
STALE_AFTER_S = 180.0
_LOOP_STOP_S = 10.0
_JOB_STOP_S = 4.0  # a job that waits longer for Stripe or the mail server keeps its lease until it expires


class PaymentConsumer(Replica):
    """Updates orders from the events of `payment-events`. GateDirections no requests.

    Reconciliation and reminders run beside it. Without an API key of the provider only the reminders run.

    Args:
        configured: the settings; None: from the environment.
        reports: whether to export metrics to Ray, which only a replica of Serve can.
    """

    def __init__(self, configured: Settings | None = None, *, reports: bool = False) -> None:
        configured = configured or settings()
        configure_logging(configured)
        self._metrics = metrics = MetricsRegistry()
        self.resources.add("metrics", metrics.stop)
        self._loop: PaymentLoop | None = None
        if configured.stripe.api_key.get_secret_value():
            dependencies = PaymentConsumerDependencies(configured)
            self._loop = loop = dependencies.build_loop()
            self.resources.add("dependencies", lambda: None if loop.alive else dependencies.close())
            self.resources.add("loop", lambda: loop.stop(_LOOP_STOP_S))  # finishes the pending batch, leaves the group
            metrics.add_callback(PAYMENT_LAG, lambda: loop.lag)
            metrics.add_callback(PAYMENT_EVENTS, lambda: loop.stats.messages)
            metrics.add_callback(PAYMENT_DEAD_LETTERS, lambda: loop.stats.dead_letters)
            loop.start()
        self._jobs = payment_jobs(configured)
        for name, job in self._jobs.items():
            if isinstance(job, ReconciliationJob):
                metrics.add_callback(RECONCILIATION_FAILURES, partial(getattr, job, "failures"))
            self.resources.add(name, partial(job.stop, _JOB_STOP_S))
            job.start()
        threads = [*self._jobs.values(), *([self._loop] if self._loop else [])]
        self.resources.add("threads", lambda: [thread.stop(0) for thread in threads])  # all at the same time
        if reports:
            metrics.start(RayExporter)

    def check_health(self) -> None:
        """The health check of Serve.

        Raises:
            ConsumerUnhealthyError: a thread has ended or hangs. Serve replaces the replica.
        """
        if self._loop is not None:
            check_loop(self._loop, STALE_AFTER_S)
        check_workers(self._jobs.items())

    def record_autoscaling_stats(self) -> dict[str, float]:
        """The input of the scaling policy."""
        return autoscaling_stats(self._loop)


def payment_jobs(configured: Settings) -> dict[str, PeriodicJob]:
    """The jobs of a replica by name, each with a lease and a database connection of its own."""
    payments = configured.payments
    jobs: dict[str, PeriodicJob] = {
        "reminders": ReminderJob(
            job_lease(configured.database, "reminders"),
            open_mailer(configured),
            configured.api.public_url,
            payments.remind_every_s,
        )
    }
    if configured.stripe.api_key.get_secret_value():
        jobs["reconciler"] = ReconciliationJob(
            job_lease(configured.database, "reconciler"),
            StripePayments(without_retries(configured.stripe)),
            timedelta(seconds=payments.recheck_after_s),
            payments.reconcile_every_s,
        )
    return jobs


def build(_args: dict[str, str]) -> "Application":
    """The application `payment_consumers` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only the builder of the application needs Ray; the import takes a second

    deployment = serve.deployment(graceful_shutdown_timeout_s=2 * _LOOP_STOP_S, health_check_period_s=5)
    return deployment(PaymentConsumer).bind(reports=True)
