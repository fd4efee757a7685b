"""An order, and the page at which it is paid."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select

from domain.clock import Clock
from domain.ids import new_id
from domain.memberships.ledger import Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN, Plan
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.payments.booking import OrderBooking
from domain.payments.fulfilment import Settlement
from domain.payments.model import MOST_AWAITED, Order, OrderState, PaymentProblem, PaymentRefusal
from domain.payments.orders import OrderRepository
from domain.payments.ports import Checkout, PaymentProvider, PaymentRefusedError
from domain.tables import companies, users
from domain.unit_of_work import Store

UNKNOWN_MEMBER = PaymentRefusal(
    PaymentProblem.UNKNOWN_MEMBER, "There is no such user, or the account is being deleted."
)
_TOO_MANY_OPEN = PaymentRefusal(
    PaymentProblem.TOO_MANY_OPEN,
    f"{MOST_AWAITED} orders wait for their payments, which are on their way. Order again when one has arrived.",
)
_LEFT_TO_PAY = timedelta(minutes=30)  # a page with less left is not handed out once more


def new_order(
    connection: Connection, member_id: UUID, plan: Plan, method: Method, now: datetime, *, by_id: UUID | None = None
) -> Order | PaymentRefusal:
    """An order of a plan at the price that it has now; kept."""
    user = connection.execute(select(users.c.deleted_at).where(users.c.id == member_id)).one_or_none()
    if user is None or user.deleted_at is not None:
        return UNKNOWN_MEMBER
    rate: int = connection.execute(
        select(companies.c.vat_rate_bp).where(companies.c.id == plan.company_id)
    ).scalar_one()
    order = Order(
        id=new_id(),
        member_id=member_id,
        company_id=plan.company_id,
        plan_id=plan.id,
        plan_name=plan.details.name,
        days=plan.details.days,
        price=plan.details.price,
        vat_rate_bp=rate,
        method=method,
        state=OrderState.OPEN,
        created_at=now,
        by_id=by_id,
    )
    OrderRepository(connection).add(order)
    return order


class Checkouts:
    """Opens checkouts: the order first, so that whatever is paid has one.

    Args:
        store: the database.
        provider: of payments.
        clock: the present.
    """

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._settlement = Settlement(store, provider, clock)

    def open(
        self, member_id: UUID, plan_id: UUID, success_url: str, cancel_url: str
    ) -> Order | PaymentRefusal | MembershipRefusal:
        """An order of a plan with the address of the page at which it is paid.

        Who orders the same once more and has not paid gets the same order. Of several others the oldest are closed, so
        that no more than `MOST_AWAITED` are open at a time.

        Args:
            success_url, cancel_url: where the page leads; `{ORDER_ID}` in them becomes the order's id.

        Raises:
            PaymentsAwayError: the provider cannot be asked. The order stays open, and ends by itself.
        """
        with self._store.reading() as connection:
            plan = PlanRepository(connection).plan(plan_id)
            waiting = OrderRepository(connection).orders_by_id(OrderRepository(connection).open_of(member_id))
        for same in [each for each in waiting if plan and self._is_same(each, plan, success_url, cancel_url)]:
            settled = self._settlement.settle(same.id)
            if isinstance(settled, Order) and settled.state is OrderState.OPEN and settled.problem is None:
                return settled
            waiting.remove(same)  # it was paid or has ended, or is one that somebody has to look at
        self._make_room(waiting)

        def order_it(connection: Connection) -> Order | PaymentRefusal | MembershipRefusal:
            plan = PlanRepository(connection).plan(plan_id)
            if plan is None or plan.retired_at is not None:
                return UNKNOWN_PLAN
            LedgerRepository(connection).lock_member(member_id)  # who orders twice at once is counted once more
            if len(OrderRepository(connection).open_of(member_id)) >= MOST_AWAITED:
                return _TOO_MANY_OPEN
            order = new_order(connection, member_id, plan, Method.STRIPE, self._clock())
            if isinstance(order, PaymentRefusal):
                return order
            named = replace(
                order,
                success_url=success_url.replace("{ORDER_ID}", str(order.id)),
                cancel_url=cancel_url.replace("{ORDER_ID}", str(order.id)),
            )
            OrderRepository(connection).change(named)
            return named

        order = self._store.written(order_it)
        if not isinstance(order, Order):
            return order
        with self._store.reading() as connection:
            email = OrderRepository(connection).email_of(member_id)
        try:
            checkout = self._provider.open_checkout(order, email)
        except PaymentRefusedError as refused:
            why = str(refused)
            self._store.written(lambda connection: _fail(connection, order.id, why, self._clock()))
            return PaymentRefusal(
                PaymentProblem.REFUSED, f"The payment's provider refuses this order ({why}). Ask the staff."
            )
        opened = checkout
        return self._store.written(lambda connection: _opened(connection, order.id, opened, self._clock()))

    def _is_same(self, order: Order, plan: Plan, success_url: str, cancel_url: str) -> bool:
        """Whether an open order is for the same, at the same price, leads to the same pages, and can be paid still."""
        if order.state is not OrderState.OPEN or plan.retired_at is not None:
            return False
        ends_at = order.expires_at or order.created_at
        named = (
            success_url.replace("{ORDER_ID}", str(order.id)),
            cancel_url.replace("{ORDER_ID}", str(order.id)),
        )
        return (
            (order.plan_id, order.days, order.price) == (plan.id, plan.details.days, plan.details.price)
            and (order.success_url, order.cancel_url) == named
            and self._clock() < ends_at - _LEFT_TO_PAY
        )

    def _make_room(self, waiting: Sequence[Order]) -> None:
        """Close as many of the oldest that nobody has paid as are too many for another one."""
        too_many = max(0, len(waiting) - MOST_AWAITED + 1)
        unpaid = [order for order in waiting if order.state is OrderState.OPEN]
        for order in unpaid[:too_many]:
            self._settlement.close(order)


def _opened(connection: Connection, order_id: UUID, checkout: Checkout, now: datetime) -> Order | PaymentRefusal:
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is None:
        return UNKNOWN_MEMBER
    booking.see(checkout)
    return booking.order


def _fail(connection: Connection, order_id: UUID, why: str, now: datetime) -> None:
    booking = OrderBooking.locked(connection, order_id, now)
    if booking is not None:
        booking.end(OrderState.FAILED, why)
