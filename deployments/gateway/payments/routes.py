"""Orders: bought, looked up, given back, paid at the desk."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.payments.schemas import (
    NewCheckout,
    NewDeskPayment,
    NewRefund,
    OrderDocument,
    ReportDocument,
    Reversal,
    TakingsDocument,
    WholeOrderDocument,
)
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import OnceOnly
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.redirect_urls import CANCELLED, SUCCESS, own_address
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.payments.desk_payments import DeskPaymentService
from deployments.payments.orders import OrderService, OrderView
from domain.memberships.ledger import Method
from domain.payments.model import UNKNOWN_ORDER
from domain.payments.ports import Buyer

_YEARS = range(2, 9999)  # whose days begin and end within the calendar in every time zone


def router() -> APIRouter:
    """The calls about orders."""
    routes = guarded_router("orders")
    _add_buying(routes)
    _add_giving_back(routes)
    _add_desk(routes)
    return routes


def _add_buying(routes: APIRouter) -> None:
    @routes.post(
        "/checkouts",
        status_code=201,
        responses=declared(
            *("unknown_plan", "unknown_user", "foreign_url", "payments_disabled", "payment_refused"),
            *("too_many_open_orders", "price_not_payable", "membership_too_long", *KEY_PROBLEMS),
        ),
    )
    async def checkout(
        wanted: NewCheckout, user: TheUser, parts: OfParts, response: Response, once: OnceOnly
    ) -> OrderDocument:
        """Order a plan for oneself; `url` is the page at which it is paid.

        Who orders the same once more and has not paid gets the same order. Three may be open at a time: the oldest that
        nobody has paid is closed for a fourth.
        """
        own = parts.settings.api
        success = own_address(own, wanted.success_url, SUCCESS, "success_url")
        cancel = own_address(own, wanted.cancel_url, CANCELLED, "cancel_url")
        opened = granted(
            await once(parts.payments, OrderService.open_checkout, user.id, wanted.plan_id, success, cancel)
        )
        response.headers["Location"] = f"/api/orders/{opened.id}"
        return OrderDocument.of(opened)

    @routes.get("/orders/{order_id}", responses=declared("unknown_order"))
    async def order(order_id: UUID, user: TheUser, parts: OfParts) -> WholeOrderDocument:
        """One order: one's own, or for staff anybody's."""
        return WholeOrderDocument.whole(await _visible(parts, user, order_id))

    @routes.post("/orders/{order_id}/check", responses=declared("unknown_order", "payments_disabled"))
    async def check(order_id: UUID, user: TheUser, parts: OfParts) -> WholeOrderDocument:
        """Ask the payment's provider about an order now, as after coming back from the checkout."""
        await _visible(parts, user, order_id)
        granted(await parts.payments(OrderService.settle, order_id))
        return WholeOrderDocument.whole(await _visible(parts, user, order_id))

    @routes.get("/me/orders")
    async def my_orders(user: TheUser, parts: OfParts, asked: Asked) -> Listing[OrderDocument]:
        """My orders, newest first."""
        return listing(await parts.payments(OrderService.orders, user.id, asked), OrderDocument.of)

    @routes.get("/members/{member_id}/orders")
    async def orders(member_id: UUID, parts: OfParts, asked: Asked) -> Listing[OrderDocument]:
        """A member's orders, newest first."""
        return listing(await parts.payments(OrderService.orders, member_id, asked), OrderDocument.of)


def _add_giving_back(routes: APIRouter) -> None:
    @routes.post(
        "/orders/{order_id}/refunds",
        responses=declared(
            *("unknown_order", "order_not_paid", "order_disputed", "refund_too_large", "payment_refused"),
            *("payments_disabled", "amount_not_payable", *KEY_PROBLEMS),
        ),
    )
    async def refund(
        order_id: UUID, wanted: NewRefund, user: TheUser, parts: OfParts, once: OnceOnly
    ) -> WholeOrderDocument:
        """Give money back, and take back the days that it paid for, as far as they are unused.

        While the payment's provider is away the refund is kept as `asked`, and carried out by itself.
        """
        done = await once(parts.payments, OrderService.refund, order_id, wanted.amount, wanted.reason, user.id)
        return WholeOrderDocument.whole(granted(done))

    @routes.post("/orders/{order_id}/reverse", responses=declared("unknown_order", "not_reversible", *KEY_PROBLEMS))
    async def reverse(
        order_id: UUID, why: Reversal, user: TheUser, parts: OfParts, once: OnceOnly
    ) -> WholeOrderDocument:
        """Take back a payment at the desk that was a mistake, the same day. Once more changes nothing."""
        done = await once(parts.payments, DeskPaymentService.reverse, order_id, why.reason, user.id)
        return WholeOrderDocument.whole(granted(done))


def _add_desk(routes: APIRouter) -> None:
    @routes.post(
        "/desk-payments",
        status_code=201,
        responses=declared("unknown_plan", "unknown_user", "membership_too_long", *KEY_PROBLEMS),
    )
    async def desk_payment(
        wanted: NewDeskPayment, user: TheUser, parts: OfParts, response: Response, once: OnceOnly
    ) -> WholeOrderDocument:
        """Sell a plan to somebody who has paid in cash or at the card terminal; the receipt is the invoice."""
        buyer = Buyer(wanted.buyer_name, "", wanted.buyer_address)
        method = Method(wanted.method)
        sold = granted(
            await once(
                parts.payments, DeskPaymentService.sell, wanted.member_id, wanted.plan_id, method, user.id, buyer
            )
        )
        response.headers["Location"] = f"/api/orders/{sold.order.id}"
        return WholeOrderDocument.whole(sold)

    @routes.get("/desk-payments/report", responses=declared("unknown_gym"))
    async def report(
        parts: OfParts,
        day: Annotated[datetime | None, Query(description="Any moment of the day; left out: now.")] = None,
        gym: Annotated[UUID | None, Query(description="In whose time zone; left out: UTC.")] = None,
    ) -> ReportDocument:
        """The end of a day at the desks: what each of the staff took and gave back, by method."""
        if day is not None and (day.tzinfo is None or day.year not in _YEARS):
            told = "Say a moment with its time zone as `day`, as in 2026-03-01T12:00:00Z."
            raise ApiProblem("invalid_request", told, faults=[Fault("day", "is no moment with a time zone")])
        takings = granted(await parts.payments(DeskPaymentService.end_of_day, day, gym))
        return ReportDocument(takings=[TakingsDocument.model_validate(each) for each in takings])


async def _visible(parts: Parts, user: UserAsker, order_id: UUID) -> OrderView:
    view = await parts.payments(OrderService.order, order_id)
    if view is None or not (user.is_staff or view.order.member_id == user.id):
        raise ApiProblem(UNKNOWN_ORDER.problem, UNKNOWN_ORDER.detail)
    return view
