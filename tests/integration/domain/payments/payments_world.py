"""A world in which something is sold: orders, a provider, and what the ledger says."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from consumers.payments import PaymentHandler
from domain.memberships.ledger import LedgerBalance
from domain.memberships.ledger_check import LedgerMismatch, check_ledger
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.memberships.tables import ledger_entries
from domain.outbox import outbox
from domain.payments.checkout import Checkouts, WantedCheckout
from domain.payments.invoice_repository import InvoiceRepository
from domain.payments.invoices import InvoiceText
from domain.payments.model import Order, PaymentRefusal, Refund
from domain.payments.ports import ProviderEvent
from domain.payments.provider_events import TOPIC, PaymentEvent, store_provider_events
from domain.payments.reconciliation import Reconciliation
from domain.payments.refunds import Refunds, ask_refund
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.payments.tables import stripe_events
from integrations.kafka.messages import decode_payment_event
from tests.payment_provider import FakePaymentProvider
from tests.world import World

SUCCESS, CANCEL = "http://gym.test/ok?order={ORDER_ID}", "http://gym.test/no"


@dataclass
class PaymentsWorld:
    """Everything about payments, on one store."""

    world: World
    provider: FakePaymentProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = FakePaymentProvider(self.world.clock)
        parts = (self.world.store, self.provider, self.world.clock)
        self.checkouts, self.settlement, self.refunds = Checkouts(*parts), OrderSettlement(*parts), Refunds(*parts)
        self.reconciliation = Reconciliation(*parts)
        self.handler = PaymentHandler(*parts)

    def order(self, member: UUID | None = None, plan: UUID | None = None, cancel: str = CANCEL) -> Order:
        opened = self.checkout(member or self.world.newcomer(), plan, cancel)
        assert isinstance(opened, Order), opened
        return opened

    def checkout(
        self, member: UUID, plan: UUID | None = None, cancel: str = CANCEL
    ) -> Order | PaymentRefusal | MembershipRefusal:
        """An order and its page."""
        wanted = WantedCheckout(plan or self.world.plan, SUCCESS, cancel)
        same = self.checkouts.make_room(member, wanted)
        order = self.world.store.written(lambda connection: self.checkouts.order(connection, member, wanted, same))
        return self.checkouts.open_page(order) if isinstance(order, UUID) else order

    def give_back(self, order: Order, amount: int | None, reason: str) -> Order | PaymentRefusal:
        """A refund, written down and carried out."""
        asked = self.world.store.written(
            lambda connection: ask_refund(connection, order.id, amount, reason, order.member_id, self.world.clock())
        )
        return self.refunds.carry_out(asked) if isinstance(asked, Refund) else asked

    def bought(self, member: UUID | None = None, plan: UUID | None = None) -> Order:
        order = self.order(member, plan)
        self.provider.pay(session(order))
        return self.settled(order)

    def settled(self, order: Order) -> Order:
        settled = self.settlement.settle(order.id)
        assert isinstance(settled, Order), settled
        return settled

    def read(self, order: Order) -> Order:
        return self.by_id(order.id)

    def by_id(self, order_id: UUID) -> Order:
        with self.world.store.reading() as connection:
            found = OrderRepository(connection).order(order_id)
        assert found is not None
        return found

    def account(self, order: Order) -> LedgerBalance:
        with self.world.store.reading() as connection:
            held = LedgerRepository(connection).held_by(order.member_id)
        assert len(held) == 1
        return held[0].balance

    def days_left(self, order: Order) -> int:
        """From today to the end, in days."""
        ends_on = self.account(order).ends_on
        assert ends_on is not None
        return (ends_on - self.world.clock().date()).days

    def kinds(self, order: Order) -> list[str]:
        with self.world.store.reading() as connection:
            query = select(ledger_entries.c.kind).where(ledger_entries.c.member_id == order.member_id)
            return list(connection.execute(query.order_by(ledger_entries.c.number)).scalars())

    def invoices(self, order: Order) -> list[InvoiceText]:
        with self.world.store.reading() as connection:
            return [each.text for each in InvoiceRepository(connection).of_order(order.id)]

    def disagreements(self) -> list[LedgerMismatch]:
        with self.world.store.reading() as connection:
            return list(check_ledger(connection))

    def days_pass(self, days: float) -> None:
        self.world.clock.now += timedelta(days=days)

    def receive(self, *events: ProviderEvent) -> list[PaymentEvent]:
        """Store events as the webhook does; what was handed on, as the consumer reads it."""
        with self.world.store.writing() as connection:
            store_provider_events(connection, events, self.world.clock())
        with self.world.store.reading() as connection:
            rows = connection.execute(
                select(outbox.c.payload).where(outbox.c.topic == TOPIC).order_by(outbox.c.id)
            ).scalars()
            return [decode_payment_event(payload.encode()) for payload in rows]

    def handle(self, *events: ProviderEvent) -> Sequence[bool]:
        """Receive events and handle them in this order."""
        told = {event.event_id: event for event in self.receive(*events)}
        return self.handler.handle([told[event.id] for event in events])

    def event_state(self, event: ProviderEvent) -> str:
        with self.world.store.reading() as connection:
            query = select(stripe_events.c.state).where(stripe_events.c.id == event.id)
            state: str = connection.execute(query).scalar_one()
        return state


def session(order: Order) -> str:
    assert order.session_id is not None
    return order.session_id


def refused(answer: object) -> str:
    assert isinstance(answer, PaymentRefusal), answer
    return answer.problem.value
