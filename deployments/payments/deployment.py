"""Payments as Ray Serve runs it: apart, so that a provider that hangs holds up nobody at a door."""

from datetime import timedelta

from deployments.payments.desk import PaymentsDesk
from deployments.store_desk import open_store
from domain.memberships.bookings import FreezeLimits
from integrations.logs import configure_logging
from integrations.replica import Replica
from integrations.settings import settings
from integrations.stripe.provider import StripePayments


class Payments(Replica, PaymentsDesk):
    """Answers by handle. Serve runs its methods on as many threads as requests may be ongoing.

    Those are more than there are connections: most wait for the provider, and hold none meanwhile.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        payments = own.payments
        super().__init__(
            store,
            provider=StripePayments(own.stripe) if own.stripe.api_key.get_secret_value() else None,
            takes_events=bool(own.stripe.webhook_secret.get_secret_value()),
            keys_kept_for=timedelta(hours=own.api.idempotency_hours),
            topic=own.kafka.payments_topic,
            freeze_limits=FreezeLimits(
                payments.max_freeze_days, payments.max_freeze_days_per_year, payments.max_freeze_lead_days
            ),
        )
