"""What the Payments deployment answers: plans, orders, memberships, invoices, and the provider's events.

A plain class; every answer is plain data, and so is every refusal.
"""

from datetime import timedelta

from deployments.payments.membership_desk import MembershipDesk
from deployments.payments.orders_desk import DISABLED, OrdersDesk
from deployments.payments.plans_desk import PlansDesk
from domain.clock import Clock, system_clock
from domain.memberships.bookings import FreezeLimits
from domain.payments.model import PaymentProblem, PaymentRefusal
from domain.payments.ports import BadSignatureError, PaymentProvider
from domain.payments.provider_events import TOPIC, store_happened
from domain.payments.reconciliation import Reconciled, Reconciliation
from domain.unit_of_work import Store


class PaymentsDesk(PlansDesk, MembershipDesk, OrdersDesk):
    """Answers about money.

    Args:
        store, clock, provider: as in `OrdersDesk`.
        takes_events: whether there is a secret by which the provider's events are known to be its own.
        topic: where events are handed on.
        freeze_limits: of members.
        keys_kept_for: how long a repeated call gets the first answer.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock = system_clock,
        *,
        provider: PaymentProvider | None = None,
        takes_events: bool = False,
        topic: str = TOPIC,
        freeze_limits: FreezeLimits | None = None,
        keys_kept_for: timedelta = timedelta(hours=24),
    ) -> None:
        super().__init__(store, clock, provider=provider)
        self.keys_kept_for = keys_kept_for
        self._takes_events = takes_events
        self._topic = topic
        self.freeze_limits = freeze_limits or FreezeLimits()

    def take_event(self, payload: bytes, signature: str) -> PaymentRefusal | None:
        """Keep an event that the provider sent, and hand it on. None: it is kept, or was before."""
        if self._provider is None or not self._takes_events:
            return PaymentRefusal(
                PaymentProblem.DISABLED,
                "Events are not taken: FITMONITOR_STRIPE__API_KEY or FITMONITOR_STRIPE__WEBHOOK_SECRET is not set.",
            )
        try:
            event = self._provider.happened(payload, signature)
        except BadSignatureError as error:
            return PaymentRefusal(PaymentProblem.BAD_SIGNATURE, f"The event is not taken: {error}")
        except (ValueError, TypeError):  # no event, or a signature that cannot be compared
            return PaymentRefusal(PaymentProblem.BAD_SIGNATURE, "The event is not taken: it cannot be read.")
        self._written(lambda connection: store_happened(connection, [event], self._clock(), self._topic))
        return None

    def reconcile(self) -> Reconciled | PaymentRefusal:
        """Compare the provider with the ledger, and make up for what was missed.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        if self._provider is None:
            return DISABLED
        return Reconciliation(self._store, self._provider, self._clock).run()
