"""An order, and the page at which it is paid."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from domain.clock import Clock
from domain.ids import new_id
from domain.memberships.bookings import refuse_grant
from domain.memberships.days import day_of
from domain.memberships.ledger import Account, Method
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN, Plan, refuse_plan_price
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.payments.booking import OrderBooking
from domain.payments.model import Order, OrderState, PaymentProblem, PaymentRefusal
from domain.payments.orders import OrderRepository
from domain.payments.ports import Checkout, PaymentProvider, PaymentRefusedError
from domain.tables import companies, users
from domain.unit_of_work import Store

UNKNOWN_MEMBER = PaymentRefusal(
    PaymentProblem.UNKNOWN_MEMBER, "There is no such user, or the account is being deleted."
)


def new_order(
    connection: Connection, member_id: UUID, plan: Plan, method: Method, now: datetime, *, by_id: UUID | None = None
) -> Order | PaymentRefusal | MembershipRefusal:
    """An order of a plan at the price that it has now; kept. The caller holds the member."""
    user = connection.execute(select(users.c.deleted_at).where(users.c.id == member_id)).one_or_none()
    if user is None or user.deleted_at is not None:
        return UNKNOWN_MEMBER
    if refusal := _refuse_days(connection, member_id, plan, now):
        return refusal
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


def _refuse_days(connection: Connection, member_id: UUID, plan: Plan, now: datetime) -> MembershipRefusal | None:
    """Why a plan's days are not sold: with those of open orders the membership would end too far ahead."""
    held = LedgerRepository(connection).covering(member_id, plan)
    account = held.account if held else Account()
    zone = held.time_zone if held else PlanRepository(connection).time_zone_of(plan)
    ordered = OrderRepository(connection).open_days_of(member_id)
    return refuse_grant(account, day_of(now, zone), ordered + plan.details.days)


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

    def open(
        self, member_id: UUID, plan_id: UUID, success_url: str, cancel_url: str
    ) -> Order | PaymentRefusal | MembershipRefusal:
        """An order of a plan with the address of the page at which it is paid.

        Args:
            success_url, cancel_url: where the page leads; `{ORDER_ID}` in them becomes the order's id.

        Raises:
            PaymentsAwayError: the provider cannot be asked. The order stays open, and ends by itself.
        """

        def order_it(connection: Connection) -> Order | PaymentRefusal | MembershipRefusal:
            if not LedgerRepository(connection).lock_member(member_id):
                return UNKNOWN_MEMBER
            plan = PlanRepository(connection).plan(plan_id)
            if plan is None or plan.retired_at is not None:
                return UNKNOWN_PLAN
            if refusal := refuse_plan_price(plan.details.price):
                return refusal
            order = new_order(connection, member_id, plan, Method.STRIPE, self._clock())
            if not isinstance(order, Order):
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
