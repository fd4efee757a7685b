"""Orders a plan and opens its checkout page."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeGuard
from uuid import UUID

from sqlalchemy import Connection

from domain.clock import Clock
from domain.companies.repository import CompanyRepository
from domain.identity.repository import UserRepository
from domain.ids import new_id
from domain.memberships.days import day_of
from domain.memberships.ledger import LedgerBalance, Method
from domain.memberships.ledger_rules import refuse_grant
from domain.memberships.plan_repository import PlanRepository
from domain.memberships.plans import UNKNOWN_PLAN, Plan, refuse_plan_price
from domain.memberships.refusals import MembershipRefusal
from domain.memberships.repository import LedgerRepository
from domain.payments.model import (
    AWAITED,
    MOST_AWAITED,
    UNKNOWN_MEMBER,
    UNKNOWN_ORDER,
    Order,
    OrderState,
    PaymentProblem,
    PaymentRefusal,
)
from domain.payments.order_booking import OrderBooking
from domain.payments.ports import Checkout, PaymentProvider, PaymentRefusedError
from domain.payments.repository import OrderRepository
from domain.payments.settlement import OrderSettlement
from domain.unit_of_work import Store

TOO_MANY_OPEN = PaymentRefusal(
    PaymentProblem.TOO_MANY_OPEN,
    f"The payments of {MOST_AWAITED} orders are still being processed. Order again when one has arrived.",
)
CLOSED_MEANWHILE = PaymentRefusal(
    PaymentProblem.TOO_MANY_OPEN, "The order was closed because of newer orders. Order again."
)
_LEFT_TO_PAY = timedelta(minutes=30)  # a page with less time left is not reused
_SAME_TIME = timedelta(minutes=1)


def new_order(
    connection: Connection, member_id: UUID, plan: Plan, method: Method, now: datetime, *, by_id: UUID | None = None
) -> Order | PaymentRefusal | MembershipRefusal:
    """Create an order of a plan at its present price. The caller must have locked the member."""
    user = UserRepository(connection).user(member_id)
    if user is None or user.deleted_at is not None:
        return UNKNOWN_MEMBER
    if refusal := _refuse_days(connection, member_id, plan, now):
        return refusal
    order = Order(
        id=new_id(),
        member_id=member_id,
        company_id=plan.company_id,
        plan_id=plan.id,
        plan_name=plan.details.name,
        days=plan.details.days,
        price=plan.details.price,
        vat_rate_bp=CompanyRepository(connection).company(plan.company_id).vat_rate_bp,
        method=method,
        state=OrderState.OPEN,
        created_at=now,
        by_id=by_id,
    )
    OrderRepository(connection).add(order)
    return order


def _refuse_days(connection: Connection, member_id: UUID, plan: Plan, now: datetime) -> MembershipRefusal | None:
    """Why a plan is not sold: with the days of open orders the membership would end too far in the future."""
    held = LedgerRepository(connection).covering(member_id, plan)
    balance = held.balance if held else LedgerBalance()
    zone = held.time_zone if held else PlanRepository(connection).time_zone_of(plan)
    ordered = OrderRepository(connection).open_days_of(member_id)
    return refuse_grant(balance, day_of(now, zone), ordered + plan.details.days)


@dataclass(frozen=True, slots=True)
class WantedCheckout:
    """What a member wants to buy.

    Args:
        success_url, cancel_url: where the page redirects to; `{ORDER_ID}` is replaced by the id of the order.
    """

    plan_id: UUID
    success_url: str
    cancel_url: str

    def urls_of(self, order_id: UUID) -> tuple[str, str]:
        """The redirects of an order's page: after a payment, and after a cancellation."""
        return self.success_url.replace("{ORDER_ID}", str(order_id)), self.cancel_url.replace(
            "{ORDER_ID}", str(order_id)
        )


class Checkouts:
    """Opens checkouts in two steps: first the order, so that every payment has one, then its page."""

    def __init__(self, store: Store, provider: PaymentProvider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._settlement = OrderSettlement(store, provider, clock)

    def make_room(self, member_id: UUID, wanted: WantedCheckout) -> UUID | None:
        """Close the oldest unpaid orders of a member, as many as exceed the limit with another one.

        Returns:
            An equal open order, which `order` reuses; None if there is none.

        Raises:
            PaymentsUnavailableError: the provider does not answer.
        """
        with self._store.reading() as connection:
            plan = _sold_plan(connection, wanted.plan_id)
            waiting = OrderRepository(connection).orders_by_id(OrderRepository(connection).open_of(member_id))
        if isinstance(plan, MembershipRefusal):
            return None  # `order` refuses it, so no room is needed
        awaited: list[Order] = []
        for order in waiting:
            settled: Order | PaymentRefusal = order
            if self._is_same(order, plan, wanted):
                settled = self._settlement.settle(order.id)
                if isinstance(settled, Order) and settled.state is OrderState.OPEN and settled.problem is None:
                    return settled.id
            awaited += [settled] if _is_awaited(settled) else []
        too_many = len(awaited) - MOST_AWAITED + 1
        for order in awaited:
            if too_many > 0 and order.state is OrderState.OPEN and not _is_awaited(self._settlement.close(order)):
                too_many -= 1  # otherwise it was paid by a method that takes days, or needs attention
        return None

    def order(
        self, connection: Connection, member_id: UUID, wanted: WantedCheckout, same: UUID | None = None
    ) -> UUID | PaymentRefusal | MembershipRefusal:
        """Create an order without a page, or return `same` if it is still open. At most `MOST_AWAITED` are open."""
        # Lock first, so that concurrent orders of a member are counted.
        if not LedgerRepository(connection).lock_member(member_id):
            return UNKNOWN_MEMBER
        plan = _sold_plan(connection, wanted.plan_id)
        if isinstance(plan, MembershipRefusal):
            return plan
        waiting = OrderRepository(connection).orders_by_id(OrderRepository(connection).open_of(member_id))
        for each in waiting:
            if each.id == same or self._is_just_ordered(each, plan, wanted):
                return each.id
        if len(waiting) >= MOST_AWAITED:
            return TOO_MANY_OPEN
        order = new_order(connection, member_id, plan, Method.STRIPE, self._clock())
        if not isinstance(order, Order):
            return order
        success_url, cancel_url = wanted.urls_of(order.id)
        OrderRepository(connection).change(replace(order, success_url=success_url, cancel_url=cancel_url))
        return order.id

    def open_page(self, order_id: UUID) -> Order | PaymentRefusal:
        """Open the page of an order. Safe to repeat: it is the same page.

        Raises:
            PaymentsUnavailableError: the provider does not answer. The order stays open until it expires.
        """
        with self._store.reading() as connection:
            order = OrderRepository(connection).order(order_id)
            email = OrderRepository(connection).email_of(order.member_id) if order else ""
        if order is None:
            return UNKNOWN_ORDER
        if order.state is OrderState.EXPIRED:
            return CLOSED_MEANWHILE
        if order.session_id is not None:
            return order
        if order.state is OrderState.FAILED:  # an earlier attempt was refused and ended before it could answer
            return _refused(order.problem)
        try:
            checkout = self._provider.open_checkout(order, email)
        except PaymentRefusedError as refused:
            why = str(refused)
            self._store.written(lambda connection: _fail(connection, order.id, why, self._clock()))
            return _refused(why)
        opened = checkout
        return self._store.written(lambda connection: _opened(connection, order.id, opened, self._clock()))

    def _is_same(self, order: Order, plan: Plan, wanted: WantedCheckout) -> bool:
        """Whether an open order is equal to the wanted one and its page can still be paid."""
        ends_at = order.expires_at or order.created_at
        return _is_for(order, plan, wanted) and self._clock() < ends_at - _LEFT_TO_PAY

    def _is_just_ordered(self, order: Order, plan: Plan, wanted: WantedCheckout) -> bool:
        """Whether an order comes from a call at the same time, such as a second click. It may have no page yet."""
        is_new = self._clock() - order.created_at < _SAME_TIME
        return is_new and order.problem is None and _is_for(order, plan, wanted)


def _sold_plan(connection: Connection, plan_id: UUID) -> Plan | MembershipRefusal:
    """A plan on sale that the provider can charge, or why it is refused."""
    plan = PlanRepository(connection).plan(plan_id)
    if plan is None or plan.retired_at is not None:
        return UNKNOWN_PLAN
    return refuse_plan_price(plan.details.price) or plan


def _is_for(order: Order, plan: Plan, wanted: WantedCheckout) -> bool:
    """Whether an order is open, of the plan at its present price, with the same redirects."""
    return (
        order.state is OrderState.OPEN
        and (order.plan_id, order.days, order.price) == (plan.id, plan.details.days, plan.details.price)
        and (order.success_url, order.cancel_url) == wanted.urls_of(order.id)
    )


def _is_awaited(order: Order | PaymentRefusal) -> TypeGuard[Order]:
    return isinstance(order, Order) and order.state in AWAITED


def _refused(why: str | None) -> PaymentRefusal:
    return PaymentRefusal(PaymentProblem.REFUSED, f"The payment provider refuses the order ({why}). Ask the staff.")


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
