"""Orders, refunds, desk payments, invoices, and the calls and pages of the payment provider."""

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header, Query, Request, Response

from deployments.gateway.dependencies import Dependencies, Deps
from deployments.gateway.payments.pages import PAGE_POLICY, cancel_page, success_page
from deployments.gateway.payments.schemas import (
    InvoiceDocument,
    NewCheckout,
    NewDeskPayment,
    NewRefund,
    OrderDocument,
    ReconciledDocument,
    ReportDocument,
    Reversal,
    TakingsDocument,
    WholeOrderDocument,
)
from deployments.http.auth import UserPrincipal
from deployments.http.dependencies import CurrentUser
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import Idempotent
from deployments.http.openapi import file_response
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.problems import ApiProblem, Fault, declared
from deployments.http.redirect_urls import CANCELLED, SUCCESS, checkout_redirect
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router
from deployments.payments.desk_payments import DeskPaymentService
from deployments.payments.invoices import InvoiceService
from deployments.payments.orders import OrderService, OrderView
from deployments.payments.provider_events import ProviderEventService
from domain.memberships.ledger import Method
from domain.payments.invoices import Invoice
from domain.payments.model import UNKNOWN_ORDER, OrderState
from domain.payments.ports import Buyer
from integrations.rendering.invoices import PAGE_POLICY as INVOICE_POLICY
from integrations.rendering.invoices import invoice_page, invoice_pdf

LARGER_BODIES = {"/payments/webhooks": 1024 * 1024}
"""Maximum body size in bytes of calls whose bodies Stripe creates."""

orders_router = guarded_router("payments")
invoices_router = guarded_router("payments")
provider_router = guarded_router("payments")

_YEARS = range(2, 9999)  # a day of these years starts and ends within the calendar in every time zone


@orders_router.post(
    "/checkouts",
    summary="Start a checkout",
    status_code=201,
    responses=declared(
        *("unknown_plan", "unknown_user", "foreign_url", "payments_disabled", "payment_refused"),
        *("too_many_open_orders", "price_not_payable", "membership_too_long", *KEY_PROBLEMS),
    ),
)
async def checkout(
    new: NewCheckout, user: CurrentUser, deps: Deps, response: Response, once: Idempotent
) -> OrderDocument:
    """Order a plan. Pay it at the `url` of the order.

    A repeated call for the same plan returns the same unpaid order. A member can have three open orders: a fourth
    closes the oldest unpaid order.
    """
    api = deps.settings.api
    success = checkout_redirect(api, new.success_url, SUCCESS, "success_url")
    cancel = checkout_redirect(api, new.cancel_url, CANCELLED, "cancel_url")
    order = raise_on_refusal(
        await once(deps.payments, OrderService.open_checkout, user.id, new.plan_id, success, cancel)
    )
    response.headers["Location"] = f"/api/orders/{order.id}"
    return OrderDocument.of(order)


@orders_router.get("/orders/{order_id}", summary="Get an order", responses=declared("unknown_order"))
async def order(order_id: UUID, user: CurrentUser, deps: Deps) -> WholeOrderDocument:
    """Get an order: one's own, or as staff any order."""
    return WholeOrderDocument.whole(await _visible_order(deps, user, order_id))


@orders_router.post(
    "/orders/{order_id}/check",
    summary="Check an order with the payment provider",
    responses=declared("unknown_order", "payments_disabled"),
)
async def check(order_id: UUID, user: CurrentUser, deps: Deps) -> WholeOrderDocument:
    """Update an order from the payment provider now, for example after the member returns from the checkout."""
    await _visible_order(deps, user, order_id)
    raise_on_refusal(await deps.payments(OrderService.settle, order_id))
    return WholeOrderDocument.whole(await _visible_order(deps, user, order_id))


async def _visible_order(deps: Dependencies, user: UserPrincipal, order_id: UUID) -> OrderView:
    view = await deps.payments(OrderService.order, order_id)
    if view is None or not (user.is_staff or view.order.member_id == user.id):
        raise ApiProblem(UNKNOWN_ORDER.problem, UNKNOWN_ORDER.detail)
    return view


@orders_router.get("/me/orders", summary="List my orders")
async def my_orders(user: CurrentUser, deps: Deps, page: PageQuery) -> Listing[OrderDocument]:
    """List my orders, newest first."""
    return listing(await deps.payments(OrderService.orders, user.id, page), OrderDocument.of)


@orders_router.get("/members/{member_id}/orders", summary="List the orders of a member")
async def orders(member_id: UUID, deps: Deps, page: PageQuery) -> Listing[OrderDocument]:
    """List the orders of a member, newest first."""
    return listing(await deps.payments(OrderService.orders, member_id, page), OrderDocument.of)


@orders_router.post(
    "/orders/{order_id}/refunds",
    summary="Refund an order",
    responses=declared(
        *("unknown_order", "order_not_paid", "order_disputed", "refund_too_large", "payment_refused"),
        *("payments_disabled", "amount_not_payable", *KEY_PROBLEMS),
    ),
)
async def refund(order_id: UUID, new: NewRefund, user: CurrentUser, deps: Deps, once: Idempotent) -> WholeOrderDocument:
    """Refund an order, in full or in part, and remove the unused days that the money paid for.

    While the payment provider is unavailable, the refund has the state `asked`; it is sent automatically later.
    """
    view = await once(deps.payments, OrderService.refund, order_id, new.amount, new.reason, user.id)
    return WholeOrderDocument.whole(raise_on_refusal(view))


@orders_router.post(
    "/orders/{order_id}/reverse",
    summary="Reverse a desk payment",
    responses=declared("unknown_order", "not_reversible", *KEY_PROBLEMS),
)
async def reverse(order_id: UUID, why: Reversal, user: CurrentUser, deps: Deps, once: Idempotent) -> WholeOrderDocument:
    """Reverse a mistaken desk payment on the same day. Idempotent."""
    view = await once(deps.payments, DeskPaymentService.reverse, order_id, why.reason, user.id)
    return WholeOrderDocument.whole(raise_on_refusal(view))


@orders_router.post(
    "/desk-payments",
    summary="Record a desk payment",
    status_code=201,
    responses=declared("unknown_plan", "unknown_user", "membership_too_long", *KEY_PROBLEMS),
)
async def desk_payment(
    new: NewDeskPayment, user: CurrentUser, deps: Deps, response: Response, once: Idempotent
) -> WholeOrderDocument:
    """Sell a plan to a member who paid in cash or at the card terminal. The invoice is the receipt."""
    buyer, method = Buyer(new.buyer_name, "", new.buyer_address), Method(new.method)
    sold = await once(deps.payments, DeskPaymentService.sell, new.member_id, new.plan_id, method, user.id, buyer)
    view = raise_on_refusal(sold)
    response.headers["Location"] = f"/api/orders/{view.order.id}"
    return WholeOrderDocument.whole(view)


@orders_router.get(
    "/desk-payments/report", summary="Get the daily report of desk payments", responses=declared("unknown_gym")
)
async def report(
    deps: Deps,
    day: Annotated[datetime | None, Query(description="Any time of the day (default: now).")] = None,
    gym: Annotated[UUID | None, Query(description="The gym whose time zone counts (default: UTC).")] = None,
) -> ReportDocument:
    """Get the daily report of the front desks: what each member of staff took and gave back, by method."""
    if day is not None and (day.tzinfo is None or day.year not in _YEARS):
        fault = Fault("day", "must be a time with its time zone, such as 2026-03-01T12:00:00Z")
        raise ApiProblem("invalid_request", "The request is not valid.", faults=[fault])
    takings = raise_on_refusal(await deps.payments(DeskPaymentService.end_of_day, day, gym))
    return ReportDocument(takings=[TakingsDocument.model_validate(each) for each in takings])


@invoices_router.get("/me/invoices", summary="List my invoices")
async def my_invoices(user: CurrentUser, deps: Deps, page: PageQuery) -> Listing[InvoiceDocument]:
    """List my invoices and credit notes, newest first."""
    return listing(await deps.payments(InvoiceService.invoices, user.id, page), InvoiceDocument.of)


@invoices_router.get("/members/{member_id}/invoices", summary="List the invoices of a member")
async def invoices(member_id: UUID, deps: Deps, page: PageQuery) -> Listing[InvoiceDocument]:
    """List the invoices and credit notes of a member, newest first."""
    return listing(await deps.payments(InvoiceService.invoices, member_id, page), InvoiceDocument.of)


@invoices_router.get(
    "/invoices/{invoice_id}.pdf",
    summary="Get an invoice as PDF",
    response_class=Response,
    responses=file_response("application/pdf") | declared("unknown_invoice"),
)
async def invoice_as_pdf(invoice_id: UUID, user: CurrentUser, deps: Deps) -> Response:
    """Get an invoice as a PDF: one's own, or as staff any invoice."""
    text = (await _visible_invoice(deps, user, invoice_id)).text
    content = await asyncio.to_thread(invoice_pdf, text)
    headers = {"Content-Disposition": f'inline; filename="{text.kind}-{text.number}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


@invoices_router.get(
    "/invoices/{invoice_id}.html",
    summary="Get an invoice as HTML",
    response_class=Response,
    responses=file_response("text/html") | declared("unknown_invoice"),
)
async def invoice_as_html(invoice_id: UUID, user: CurrentUser, deps: Deps) -> Response:
    """Get an invoice as a page: one's own, or as staff any invoice."""
    invoice = await _visible_invoice(deps, user, invoice_id)
    headers = {"Content-Security-Policy": INVOICE_POLICY}
    return Response(invoice_page(invoice.text), media_type="text/html", headers=headers)


# After the two above, whose paths this one also matches.
@invoices_router.get("/invoices/{invoice_id}", summary="Get an invoice", responses=declared("unknown_invoice"))
async def invoice(invoice_id: UUID, user: CurrentUser, deps: Deps) -> InvoiceDocument:
    """Get an invoice: one's own, or as staff any invoice."""
    return InvoiceDocument.of(await _visible_invoice(deps, user, invoice_id))


async def _visible_invoice(deps: Dependencies, user: UserPrincipal, invoice_id: UUID) -> Invoice:
    invoice = await deps.payments(InvoiceService.invoice, invoice_id)
    if invoice is None or not (user.is_staff or invoice.member_id == user.id):
        raise ApiProblem("unknown_invoice", "Invoice not found, or it belongs to another member.")
    return invoice


# The body is read as it is and has no schema, so FastAPI does not know that a media type can be wrong.
@provider_router.post(
    "/payments/webhooks",
    summary="Receive an event of the payment provider",
    status_code=204,
    responses=declared("bad_signature", "payments_disabled", "unsupported_media_type"),
)
async def webhook(
    request: Request, deps: Deps, signature: Annotated[str, Header(alias="Stripe-Signature", max_length=2000)] = ""
) -> Response:
    """Receive a signed event of Stripe. It is stored, acknowledged, and handled later. Idempotent."""
    raise_on_refusal(await deps.payments(ProviderEventService.accept, await request.body(), signature))
    return Response(status_code=204)


@provider_router.get(
    "/checkouts/success",
    summary="Show the page after a payment",
    response_class=Response,
    responses=file_response("text/html"),
)
async def success(
    deps: Deps,
    order: Annotated[UUID, Query(description="The order's id.")],
    session_id: Annotated[str, Query(pattern="^[!-~]{1,255}$", description="The id of the checkout session.")],
) -> Response:
    """Show the page after the payment. It asks the payment provider, so it is right even before the webhook arrives."""
    home = f"{deps.settings.api.public_url}/"
    try:
        found = await deps.payments(OrderService.returned, order, session_id)
    except ApiProblem:
        # Never show an error to somebody who has just paid: the webhook brings the result.
        return _page(success_page(OrderState.OPEN, None, None, home))
    if found is None:
        return _page(success_page(None, None, None, home))
    return _page(success_page(found.state, found.plan_name, found.ends_on, home))


@provider_router.get(
    "/checkouts/cancelled",
    summary="Show the page after a cancelled checkout",
    response_class=Response,
    responses=file_response("text/html"),
)
async def cancelled(deps: Deps) -> Response:
    """Show the page after a cancelled checkout."""
    return _page(cancel_page(None, f"{deps.settings.api.public_url}/"))


def _page(content: str) -> Response:
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})


@provider_router.post(
    "/payments/reconcile", summary="Reconcile payments with the provider", responses=declared("payments_disabled")
)
async def reconcile(deps: Deps) -> ReconciledDocument:
    """Compare the orders with the payment provider now, and repair what was missed."""
    return ReconciledDocument.model_validate(raise_on_refusal(await deps.payments(ProviderEventService.reconcile)))
