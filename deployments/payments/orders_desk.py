"""What the Payments deployment answers about orders: bought, looked up, settled, refunded, paid at the desk."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, select

from deployments.keyed_call import KeyedCall
from deployments.store_desk import StoreDesk, away_is_plain
from domain.clock import Clock, system_clock
from domain.gyms.model import GymRefusal
from domain.gyms.service import UNKNOWN_GYM
from domain.gyms.tables import gyms
from domain.memberships.ledger import Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.money import Money
from domain.paging import Page, PageRequest
from domain.payments.checkout import CLOSED_MEANWHILE, TOO_MANY_OPEN, Checkouts, WantedCheckout
from domain.payments.desk_payments import Takings, end_of_day, reverse_at_desk, sell_at_desk
from domain.payments.invoices import Invoice, InvoiceRepository
from domain.payments.model import UNKNOWN_ORDER, Order, OrderState, PaymentProblem, PaymentRefusal, Refund
from domain.payments.ports import Buyer, PaymentProvider, PaymentsAwayError
from domain.payments.refunds import Refunds, ask_refund
from domain.payments.repository import OrderRepository
from domain.payments.settlement import Settlement
from domain.unit_of_work import Store

DISABLED = PaymentRefusal(
    PaymentProblem.DISABLED, "Payments by card are not set up here (FITMONITOR_STRIPE__API_KEY). Pay at the desk."
)
Refusal = PaymentRefusal | MembershipRefusal
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with what was issued for it."""

    order: Order
    invoices: tuple[Invoice, ...]
    refunds: tuple[Refund, ...]


@dataclass(frozen=True, slots=True)
class Returned:
    """What somebody who comes back from the checkout is shown. `ends_on`: the first day not held."""

    state: OrderState
    plan_name: str
    ends_on: date | None


class OrdersDesk(StoreDesk):
    """Answers about orders.

    Args:
        store, clock: as in `StoreDesk`.
        provider: of payments; None: there is none, and what needs one is refused.
    """

    def __init__(self, store: Store, clock: Clock = system_clock, *, provider: PaymentProvider | None = None) -> None:
        super().__init__(store, clock)
        self._provider = provider

    def open_checkout(
        self, member_id: UUID, plan_id: UUID, success_url: str, cancel_url: str, *, call: KeyedCall | None = None
    ) -> Order | Refusal:
        """An order of a plan, and where it is paid. A repeated call continues with the order of the first.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        if self._provider is None:
            return DISABLED
        checkouts = Checkouts(self._store, self._provider, self._clock)
        wanted = WantedCheckout(plan_id, success_url, cancel_url)
        for _ in range(_ATTEMPTS):
            answer = self._open_checkout(checkouts, member_id, wanted, call)
            # Otherwise another order of the member took the room, or closed this one: the refusal has freed the key.
            if answer not in {TOO_MANY_OPEN, CLOSED_MEANWHILE}:
                break
        return answer

    def _open_checkout(
        self, checkouts: Checkouts, member_id: UUID, wanted: WantedCheckout, call: KeyedCall | None
    ) -> Order | Refusal:
        with self._reading() as connection:
            is_repeated = call is not None and call.is_known(connection)
        with away_is_plain():
            same = None if is_repeated else checkouts.make_room(member_id, wanted)

        def begin(connection: Connection) -> UUID | Order | Refusal:
            return checkouts.order(connection, member_id, wanted, same)

        def carry_out(order_id: UUID) -> Order | Refusal:
            with away_is_plain():
                return checkouts.open_page(order_id)

        return self._carried_out_once(call, Order, begin, carry_out)

    def open_checkout_for(self, member_id: UUID, price: Money, success_url: str, cancel_url: str) -> Order | Refusal:
        """The same for the plan that is sold for a price.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        with self._reading() as connection:
            plan = PlanRepository(connection).of_price(price)
        if plan is None:
            return PaymentRefusal(PaymentProblem.NO_SUCH_PRICE, f"No plan is sold for {price}.")
        return self.open_checkout(member_id, plan.id, success_url, cancel_url)

    def order(self, order_id: UUID) -> OrderView | None:
        """An order."""
        with self._reading() as connection:
            order = OrderRepository(connection).order(order_id)
            return None if order is None else _view(connection, order)

    def orders(self, member_id: UUID, asked: PageRequest) -> Page[Order]:
        """A member's orders, newest first."""
        with self._reading() as connection:
            return OrderRepository(connection).orders_of(member_id, asked)

    def settle(self, order_id: UUID) -> Order | PaymentRefusal:
        """Bring an order up to date with the provider.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        if self._provider is None:
            return DISABLED
        with away_is_plain():
            return Settlement(self._store, self._provider, self._clock).settle(order_id)

    def settle_member(self, member_id: UUID) -> None:
        """Bring a member's open orders up to date: the door asks before it refuses.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        if self._provider is not None:
            with away_is_plain():
                Settlement(self._store, self._provider, self._clock).settle_member(member_id)

    def returned(self, order_id: UUID, session_id: str) -> Returned | None:
        """What somebody is shown who comes back from the page of an order; None: it is not that order's page.

        Raises:
            PaymentsAwayError: the provider cannot be asked.
        """
        view = self.order(order_id)
        if view is None or view.order.session_id != session_id:
            return None
        settled = self.settle(order_id)
        order = settled if isinstance(settled, Order) else view.order
        with self._reading() as connection:
            held = LedgerRepository(connection).held(order.membership_id) if order.membership_id else None
        return Returned(order.state, order.plan_name, held.account.ends_on if held else None)

    def refund(
        self, order_id: UUID, amount: int | None, reason: str, by_id: UUID, *, call: KeyedCall | None = None
    ) -> OrderView | PaymentRefusal:
        """Give an order's price back, or a part of it. A repeated call continues with the refund of the first.

        While the provider is away the refund is kept and asked for again by itself: the order is as it was.
        """
        view = self.order(order_id)
        if view is None:
            return UNKNOWN_ORDER

        def at_desk(connection: Connection) -> OrderView | PaymentRefusal:
            done = ask_refund(connection, order_id, amount, reason, by_id, self._clock())
            assert not isinstance(done, Refund)  # noqa: S101 - such are of the provider's orders alone
            return _view(connection, done) if isinstance(done, Order) else done

        if view.order.method is not Method.STRIPE:
            return self._written_once(call, OrderView, at_desk)
        if self._provider is None:
            return DISABLED
        provider = self._provider

        def begin(connection: Connection) -> UUID | OrderView | PaymentRefusal:
            asked = ask_refund(connection, order_id, amount, reason, by_id, self._clock())
            assert not isinstance(asked, Order)  # noqa: S101 - such are of the desk alone
            return asked.id if isinstance(asked, Refund) else asked

        return self._carried_out_once(
            call, OrderView, begin, lambda refund_id: self._refunded(provider, order_id, refund_id)
        )

    def _refunded(self, provider: PaymentProvider, order_id: UUID, refund_id: UUID) -> OrderView | PaymentRefusal:
        with self._reading() as connection:
            refund = OrderRepository(connection).refund(refund_id)
        if refund is not None and refund.booked_at is None:
            try:
                with away_is_plain():
                    done = Refunds(self._store, provider, self._clock).carry_out(refund)
            except PaymentsAwayError:
                done = None
            if isinstance(done, PaymentRefusal):
                return done
        return self.order(order_id) or UNKNOWN_ORDER

    def sell_at_desk(
        self,
        member_id: UUID,
        plan_id: UUID,
        method: Method,
        by_id: UUID,
        buyer: Buyer | None,
        *,
        call: KeyedCall | None = None,
    ) -> OrderView | Refusal:
        """Sell a plan to somebody who has paid at the desk."""

        def sell(connection: Connection) -> OrderView | Refusal:
            sold = sell_at_desk(connection, member_id, plan_id, method, by_id, self._clock(), buyer=buyer)
            return _view(connection, sold) if isinstance(sold, Order) else sold

        return self._written_once(call, OrderView, sell)

    def reverse_at_desk(
        self, order_id: UUID, reason: str, by_id: UUID, *, call: KeyedCall | None = None
    ) -> OrderView | PaymentRefusal:
        """Take back a payment at the desk, the same day."""

        def reverse(connection: Connection) -> OrderView | PaymentRefusal:
            done = reverse_at_desk(connection, order_id, reason, by_id, self._clock())
            return _view(connection, done) if isinstance(done, Order) else done

        return self._written_once(call, OrderView, reverse)

    def end_of_day(self, day: datetime | None, gym_id: UUID | None) -> list[Takings] | GymRefusal:
        """What was taken at desks on the day of a moment, today by default; in a gym's time zone, UTC without one."""
        with self._reading() as connection:
            zone: str | None = "UTC"
            if gym_id is not None:
                zone = connection.execute(select(gyms.c.time_zone).where(gyms.c.id == gym_id)).scalar_one_or_none()
            return UNKNOWN_GYM if zone is None else end_of_day(connection, day or self._clock(), zone)

    def invoice(self, invoice_id: UUID) -> Invoice | None:
        """An invoice."""
        with self._reading() as connection:
            return InvoiceRepository(connection).invoice(invoice_id)

    def invoices(self, member_id: UUID, asked: PageRequest) -> Page[Invoice]:
        """A member's invoices, newest first."""
        with self._reading() as connection:
            return InvoiceRepository(connection).of_member(member_id, asked)


def _view(connection: Connection, order: Order) -> OrderView:
    invoices = InvoiceRepository(connection).of_order(order.id)
    return OrderView(order, tuple(invoices), tuple(OrderRepository(connection).refunds_of(order.id)))
