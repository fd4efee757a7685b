"""The Payments deployment as Ray Serve runs it: apart, so that a slow payment provider delays nobody at a door."""

from datetime import timedelta

from deployments.payments.services import payment_services
from deployments.service_host import ServiceHost, ServiceReplica, open_store
from domain.memberships.ledger_rules import FreezeLimits
from integrations.logs import configure_logging
from integrations.settings import settings
from integrations.stripe.provider import StripePayments


class PaymentsDeployment(ServiceReplica):
    """Answers calls by handle. Serve runs them on as many threads as requests may be ongoing.

    There are more threads than connections: most wait for the provider, and hold no connection meanwhile.
    """

    def __init__(self) -> None:
        own = settings()
        configure_logging(own)
        store = open_store(own.database)
        self.resources.add("store", store.close)
        payments = own.payments
        services = payment_services(
            store,
            provider=StripePayments(own.stripe) if own.stripe.api_key.get_secret_value() else None,
            accepts_events=bool(own.stripe.webhook_secret.get_secret_value()),
            topic=own.kafka.payments_topic,
            freeze_limits=FreezeLimits(
                payments.max_freeze_days, payments.max_freeze_days_per_year, payments.max_freeze_lead_days
            ),
        )
        self.host = ServiceHost(services, keys_kept_for=timedelta(hours=own.api.idempotency_hours))
