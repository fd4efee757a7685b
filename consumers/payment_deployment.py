"""The payments' consumer as a Serve deployment."""

from typing import TYPE_CHECKING

from consumers.deployment import ConsumerUnhealthyError
from consumers.payment_duties import duties
from consumers.payments import PaymentLoop, PaymentParts
from consumers.scaling import BUSY_S, HANDLED, LAG
from integrations.logs import configure_logging
from integrations.metrics import PAYMENT_DEAD_LETTERS, PAYMENT_EVENTS, PAYMENT_LAG
from integrations.settings import Settings, settings
from integrations.tally import RaySink, Tally

if TYPE_CHECKING:
    from ray.serve import Application

# A batch asks the provider up to three times for each order, eight orders at a time, eight seconds each.
STALE_AFTER_S = 180.0
_STOP_S = 10.0


class PaymentConsumer:
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
        self._parts: PaymentParts | None = None
        self._loop: PaymentLoop | None = None
        if configured.stripe.api_key.get_secret_value():
            self._parts = PaymentParts(configured)
            self._loop = loop = self._parts.loop()
            self._tally.reads(PAYMENT_LAG, lambda: loop.lag)
            self._tally.reads(PAYMENT_EVENTS, lambda: loop.stats.messages)
            self._tally.reads(PAYMENT_DEAD_LETTERS, lambda: loop.stats.dead_letters)
            loop.start()
        self._duties = duties(configured)
        for duty in self._duties:
            duty.start()
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

    def __del__(self) -> None:
        """Serve calls this when it stops a replica in order: the batch in hand is finished, the group is left."""
        for duty in getattr(self, "_duties", []):
            duty.stop(0)
        loop, parts = getattr(self, "_loop", None), getattr(self, "_parts", None)
        if loop is not None and loop.stop(_STOP_S) and parts is not None:
            parts.close()
        tally = getattr(self, "_tally", None)
        if tally is not None:
            tally.stop()


def build(_args: dict[str, str]) -> "Application":
    """The application `payment_consumers` of `serve_config.yaml`."""
    from ray import serve  # noqa: PLC0415 - only who builds the application needs Ray; its import takes a second

    deployed = serve.deployment(graceful_shutdown_timeout_s=2 * _STOP_S, health_check_period_s=5)(PaymentConsumer)
    return deployed.bind(reports=True)
