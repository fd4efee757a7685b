"""The payments' consumer as a Serve deployment."""

from functools import partial
from typing import TYPE_CHECKING

from consumers.door_deployment import ConsumerUnhealthyError
from consumers.payment_duties import Reconciler, duties
from consumers.payments import PaymentLoop, PaymentParts
from consumers.scaling import BUSY_S, HANDLED, LAG
from integrations.logs import configure_logging
from integrations.metrics import PAYMENT_DEAD_LETTERS, PAYMENT_EVENTS, PAYMENT_LAG, RECONCILIATION_FAILURES
from integrations.replica import Replica
from integrations.settings import Settings, settings
from integrations.tally import RaySink, Tally

if TYPE_CHECKING:
    from ray.serve import Application

# A batch asks the provider up to three times for each order, eight orders at a time, eight seconds each.
STALE_AFTER_S = 180.0
_STOP_S = 10.0
_DUTY_STOP_S = 4.0  # one that waits for Stripe or mail for longer keeps its lease until that expires


class PaymentConsumer(Replica):
    """Brings orders up to date on what comes on `payment-events`; beside it run reconciliation and reminders.

    Without a key of the provider's there are no events, and only the reminders run.

    Args:
        configured: the settings; those of the environment when None.
        reports: whether its metrics go to Ray, which takes them from replicas only.
    """

    def __init__(self, configured: Settings | None = None, *, reports: bool = False) -> None:
        configured = configured or settings()
        configure_logging(configured)
        self._tally = Tally()
        self.closing.add("tally", self._tally.stop)
        self._loop: PaymentLoop | None = None
        if configured.stripe.api_key.get_secret_value():
            parts = PaymentParts(configured)
            self._loop = loop = parts.loop()
            self.closing.add("parts", lambda: None if loop.alive else parts.close())
            self.closing.add("loop", lambda: loop.stop(_STOP_S))  # the batch in hand is finished, the group left
            self._tally.reads(PAYMENT_LAG, lambda: loop.lag)
            self._tally.reads(PAYMENT_EVENTS, lambda: loop.stats.messages)
            self._tally.reads(PAYMENT_DEAD_LETTERS, lambda: loop.stats.dead_letters)
            loop.start()
        self._duties = duties(configured)
        for duty in self._duties:
            if isinstance(duty, Reconciler):
                self._tally.reads(RECONCILIATION_FAILURES, partial(getattr, duty, "failures"))
            self.closing.add("duty", partial(duty.stop, _DUTY_STOP_S))
            duty.start()
        threads = [*self._duties, *([self._loop] if self._loop else [])]
        self.closing.add("threads", lambda: [thread.stop(0) for thread in threads])  # all at once
        if reports:
            self._tally.start(RaySink)

    def check_health(self) -> None:
        """Serve's question whether this replica may live on.

        Raises:
            ConsumerUnhealthyError: a thread has died, or its loop has shown no sign of life for too long.
        """
        if self._loop is not None and not self._loop.alive:
            raise ConsumerUnhealthyError("the consumer's thread has ended")
        if self._loop is not None and self._loop.heartbeat_age_s > STALE_AFTER_S:
            raise ConsumerUnhealthyError(f"no sign of life for {self._loop.heartbeat_age_s:.0f} s")
        if not all(duty.healthy for duty in self._duties):
            raise ConsumerUnhealthyError("a duty's thread has ended, or hangs and may have its lease")

    def record_autoscaling_stats(self) -> dict[str, float]:
        """What the scaling policy goes by."""
        if self._loop is None:
            return {LAG: 0.0, HANDLED: 0.0, BUSY_S: 0.0}
        stats = self._loop.stats
        return {LAG: float(self._loop.lag), HANDLED: float(stats.messages), BUSY_S: stats.busy_s}


def build(_args: dict[str, str]) -> "Application":
    """The application `payment_consumers` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only who builds the application needs Ray; its import takes a second

    deployed = serve.deployment(graceful_shutdown_timeout_s=2 * _STOP_S, health_check_period_s=5)(PaymentConsumer)
    return deployed.bind(reports=True)
