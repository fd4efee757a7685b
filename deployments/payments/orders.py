"""The service of orders: checkout, settlement with the provider, refunds."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import Connection

from deployments.idempotent_calls import IdempotentCall, carry_out_once, write_once
from domain.clock import Clock
from domain.memberships.ledger import Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.money import Money
from domain.paging import Page, PageRequest
from domain.payments.checkout import CLOSED_MEANWHILE, TOO_MANY_OPEN, Checkouts, WantedCheckout
from domain.payments.invoice_repository import InvoiceRepository
from domain.payments.invoices import Invoice
from domain.payments.model import (
    PAYMENTS_DISABLED,
    UNKNOWN_ORDER,
    Order,
    OrderState,
    PaymentProblem,
    PaymentRefusal,
    Refund,
)
from domain.payments.ports import PaymentProvider, PaymentsUnavailableError
from domain.payments.refunds import Refunds, ask_refund
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store

Refusal = PaymentRefusal | MembershipRefusal
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with what was issued for it."""

    order: Order
    invoices: tuple[Invoice, ...]
    refunds: tuple[Refund, ...]


@dataclass(frozen=True, slots=True)
class CheckoutResult:
    """What a buyer sees after the checkout. `ends_on`: the first day that is not paid for."""

    state: OrderState
    plan_name: str
    ends_on: date | None


class OrderService:
    """Orders.

    Args:
        provider: None: payments by card are disabled, and what needs the provider is refused.
    """

    def __init__(self, store: Store, clock: Clock, provider: PaymentProvider | None) -> None:
        self._store = store
        self._clock = clock
        self._provider = provider

    def open_checkout(
        self, member_id: UUID, plan_id: UUID, success_url: str, cancel_url: str, *, call: IdempotentCall | None = None
    ) -> Order | Refusal:
        """Order a plan and open the page where it is paid. A repeated call continues with the first order.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        if self._provider is None:
            return PAYMENTS_DISABLED
        checkouts = Checkouts(self._store, self._provider, self._clock)
        requested = WantedCheckout(plan_id, success_url, cancel_url)
        for _ in range(_ATTEMPTS):
            answer = self._open_checkout(checkouts, member_id, requested, call)
            # Try again: another order of the member was first, or closed this one. The refusal has freed the key.
            if answer not in {TOO_MANY_OPEN, CLOSED_MEANWHILE}:
                break
        return answer

    def _open_checkout(
        self, checkouts: Checkouts, member_id: UUID, requested: WantedCheckout, call: IdempotentCall | None
    ) -> Order | Refusal:
        with self._store.reading() as connection:
            is_repeated = call is not None and call.is_known(connection)
        same = None if is_repeated else checkouts.make_room(member_id, requested)

        def begin(connection: Connection) -> UUID | Order | Refusal:
            return checkouts.order(connection, member_id, requested, same)

        return carry_out_once(self._store, call, Order, begin, checkouts.open_page)

    def open_checkout_for(self, member_id: UUID, price: Money, success_url: str, cancel_url: str) -> Order | Refusal:
        """Order the plan that is sold at a price.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        with self._store.reading() as connection:
            plan = PlanRepository(connection).of_price(price)
        if plan is None:
            return PaymentRefusal(PaymentProblem.NO_SUCH_PRICE, f"No plan is sold for {price}.")
        return self.open_checkout(member_id, plan.id, success_url, cancel_url)

    def order(self, order_id: UUID) -> OrderView | None:
        """An order."""
        with self._store.reading() as connection:
            order = OrderRepository(connection).order(order_id)
            return None if order is None else order_view(connection, order)

    def orders(self, member_id: UUID, request: PageRequest) -> Page[Order]:
        """A member's orders, newest first."""
        with self._store.reading() as connection:
            return OrderRepository(connection).orders_of(member_id, request)

    def settle(self, order_id: UUID) -> Order | PaymentRefusal:
        """Update an order from the provider.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        if self._provider is None:
            return PAYMENTS_DISABLED
        return OrderSettlement(self._store, self._provider, self._clock).settle(order_id)

    def settle_member(self, member_id: UUID) -> None:
        """Update the open orders of a member. The door calls this before it refuses somebody for want of payment.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        if self._provider is not None:
            OrderSettlement(self._store, self._provider, self._clock).settle_member(member_id)

    def returned(self, order_id: UUID, session_id: str) -> CheckoutResult | None:
        """What a buyer sees after the payment page; None: the page does not belong to this order.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        view = self.order(order_id)
        if view is None or view.order.session_id != session_id:
            return None
        settled = self.settle(order_id)
        order = settled if isinstance(settled, Order) else view.order
        with self._store.reading() as connection:
            held = LedgerRepository(connection).held(order.membership_id) if order.membership_id else None
        return CheckoutResult(order.state, order.plan_name, held.balance.ends_on if held else None)

    def refund(
        self, order_id: UUID, amount: int | None, reason: str, by_id: UUID, *, call: IdempotentCall | None = None
    ) -> OrderView | PaymentRefusal:
        """Refund an order in full or in part. A repeated call continues with the first refund.

        If the provider is unavailable, the refund is stored and sent again later; the order stays as it is until then.
        """
        view = self.order(order_id)
        if view is None:
            return UNKNOWN_ORDER

        def at_desk(connection: Connection) -> OrderView | PaymentRefusal:
            done = ask_refund(connection, order_id, amount, reason, by_id, self._clock())
            assert not isinstance(done, Refund)  # noqa: S101 - only orders at the provider have those
            return order_view(connection, done) if isinstance(done, Order) else done

        if view.order.method is not Method.STRIPE:
            return write_once(self._store, call, OrderView, at_desk)
        if self._provider is None:
            return PAYMENTS_DISABLED
        provider = self._provider

        def begin(connection: Connection) -> UUID | OrderView | PaymentRefusal:
            refund = ask_refund(connection, order_id, amount, reason, by_id, self._clock())
            assert not isinstance(refund, Order)  # noqa: S101 - only orders at the desk have those
            return refund.id if isinstance(refund, Refund) else refund

        return carry_out_once(
            self._store, call, OrderView, begin, lambda refund_id: self._refunded(provider, order_id, refund_id)
        )

    def _refunded(self, provider: PaymentProvider, order_id: UUID, refund_id: UUID) -> OrderView | PaymentRefusal:
        with self._store.reading() as connection:
            refund = OrderRepository(connection).refund(refund_id)
        if refund is not None and refund.booked_at is None:
            try:
                done = Refunds(self._store, provider, self._clock).carry_out(refund)
            except PaymentsUnavailableError:
                done = None
            if isinstance(done, PaymentRefusal):
                return done
        return self.order(order_id) or UNKNOWN_ORDER


def order_view(connection: Connection, order: Order) -> OrderView:
    """Read what was issued for an order."""
    invoices = InvoiceRepository(connection).of_order(order.id)
    return OrderView(order, tuple(invoices), tuple(OrderRepository(connection).refunds_of(order.id)))
