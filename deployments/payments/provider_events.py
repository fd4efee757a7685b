"""The service of the payment provider's events, and of the comparison with the provider."""

from domain.clock import Clock
from domain.payments.model import PAYMENTS_DISABLED, PaymentProblem, PaymentRefusal
from domain.payments.ports import BadSignatureError, PaymentProvider
from domain.payments.provider_events import store_provider_events
from domain.payments.reconciliation import Reconciled, Reconciliation
from domain.unit_of_work import Store

_EVENTS_DISABLED = PaymentRefusal(
    PaymentProblem.DISABLED,
    "Webhooks are disabled. Set FITMONITOR_STRIPE__API_KEY and FITMONITOR_STRIPE__WEBHOOK_SECRET.",
)


class ProviderEventService:
    """Events of the payment provider.

    Args:
        provider: None: payments by card are disabled.
        accepts_events: whether there is a webhook secret to verify events with.
        topic: where accepted events are published.
    """

    def __init__(
        self, store: Store, clock: Clock, provider: PaymentProvider | None, *, accepts_events: bool, topic: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._provider = provider
        self._accepts_events = accepts_events
        self._topic = topic

    def accept(self, payload: bytes, signature: str) -> PaymentRefusal | None:
        """Verify an event, store it once and publish it. None: it is stored, now or before."""
        if self._provider is None or not self._accepts_events:
            return _EVENTS_DISABLED
        try:
            event = self._provider.happened(payload, signature)
        except BadSignatureError as error:
            return PaymentRefusal(PaymentProblem.BAD_SIGNATURE, f"The event was refused: {error}")
        except (ValueError, TypeError):  # not an event, or a signature that cannot be compared
            return PaymentRefusal(PaymentProblem.BAD_SIGNATURE, "The event was refused: it cannot be decoded.")
        self._store.written(lambda connection: store_provider_events(connection, [event], self._clock(), self._topic))
        return None

    def reconcile(self) -> Reconciled | PaymentRefusal:
        """Compare the provider with the ledger and catch up on what was missed.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        if self._provider is None:
            return PAYMENTS_DISABLED
        return Reconciliation(self._store, self._provider, self._clock).run()
