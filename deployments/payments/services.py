"""The services of the Payments deployment."""

from dataclasses import dataclass

from deployments.payments.desk_payments import DeskPaymentService
from deployments.payments.invoices import InvoiceService
from deployments.payments.memberships import MembershipService
from deployments.payments.orders import OrderService
from deployments.payments.plans import CompanyService, PlanService
from deployments.payments.provider_events import ProviderEventService
from deployments.service_host import HealthService
from domain.clock import Clock, system_clock
from domain.memberships.ledger_rules import FreezeLimits
from domain.payments.ports import PaymentProvider
from domain.payments.provider_events import TOPIC
from domain.unit_of_work import Store

AnyPaymentService = (
    PlanService
    | CompanyService
    | MembershipService
    | OrderService
    | DeskPaymentService
    | InvoiceService
    | ProviderEventService
    | HealthService
)


@dataclass(frozen=True, slots=True)
class PaymentServices:
    """One of each."""

    plans: PlanService
    company: CompanyService
    memberships: MembershipService
    orders: OrderService
    desk_payments: DeskPaymentService
    invoices: InvoiceService
    provider_events: ProviderEventService
    health: HealthService


def payment_services(
    store: Store,
    clock: Clock = system_clock,
    *,
    provider: PaymentProvider | None = None,
    accepts_events: bool = False,
    topic: str = TOPIC,
    freeze_limits: FreezeLimits | None = None,
) -> PaymentServices:
    """Create the services on one database and one payment provider.

    Args:
        provider, accepts_events, topic: as in `ProviderEventService`.
        freeze_limits: of members.
    """
    return PaymentServices(
        plans=PlanService(store, clock),
        company=CompanyService(store, clock),
        memberships=MembershipService(store, clock, freeze_limits or FreezeLimits()),
        orders=OrderService(store, clock, provider),
        desk_payments=DeskPaymentService(store, clock),
        invoices=InvoiceService(store),
        provider_events=ProviderEventService(store, clock, provider, accepts_events=accepts_events, topic=topic),
        health=HealthService(store),
    )
