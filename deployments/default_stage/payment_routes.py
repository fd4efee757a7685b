"""Payments in the existing web client's format."""

import re
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, BeforeValidator, Field

from deployments.default_stage.dependencies import StageDeps
from deployments.gateway.payments import routes as provider_calls
from deployments.gym.legacy_numbers import LegacyNumberService
from deployments.http.dependencies import CurrentUser
from deployments.http.problems import ApiProblem, Fault
from deployments.http.redirect_urls import checkout_redirect
from deployments.http.refusals import raise_on_refusal
from deployments.http.request_body import not_a_boolean
from deployments.http.route_guard import guarded_router
from deployments.payments.orders import OrderService
from deployments.payments.provider_events import ProviderEventService
from domain.currencies import LARGEST_AMOUNT
from domain.money import Money

LARGER_BODIES = {f"/api{path}": size for path, size in provider_calls.LARGER_BODIES.items()}
_CURRENCY = re.compile("[A-Za-z]{3}")


class CheckoutRequest(BaseModel):
    """A request to pay. `amount` is in cents, and must be the price of a plan."""

    amount: Annotated[Decimal, Field(allow_inf_nan=False), BeforeValidator(not_a_boolean)]
    currency: Annotated[str, Field(max_length=100)]
    successUrl: Annotated[str, Field(max_length=1000)]  # noqa: N815 - the client's word
    cancelUrl: Annotated[str, Field(max_length=1000)]  # noqa: N815 - the client's word


class CheckoutPage(BaseModel):
    """The URL of the checkout."""

    url: str


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("payments")

    @routes.post("/api/payments/create-checkout-session", summary="Start a checkout")
    async def create_checkout_session(body: CheckoutRequest, user: CurrentUser, deps: StageDeps) -> CheckoutPage:
        """Order the plan that is sold for this amount."""
        price = _price(body)
        try:
            success = checkout_redirect(deps.api, body.successUrl, "", "successUrl")
            cancel = checkout_redirect(deps.api, body.cancelUrl, "", "cancelUrl")
        except ApiProblem as problem:
            # That client knows 400 alone.
            raise ApiProblem("malformed_request", problem.detail, faults=problem.faults) from None
        opened = raise_on_refusal(await deps.payments(OrderService.open_checkout_for, user.id, price, success, cancel))
        return CheckoutPage(url=opened.checkout_url or "")

    @routes.get(
        "/api/payments/user/subscriptiondate", summary="Get the end of a subscription", response_class=PlainTextResponse
    )
    async def subscription_date(user: CurrentUser, deps: StageDeps) -> Response:
        """Get the end of the membership that is valid at the door today. Empty if there is none."""
        ends_on = await deps.gym(LegacyNumberService.entitled_until, deps.settings.gym_number, user.id)
        return PlainTextResponse(ends_on.isoformat() if ends_on else "")

    @routes.post("/api/payments/webhooks", summary="Receive an event of the payment provider", status_code=204)
    async def webhooks(
        request: Request,
        deps: StageDeps,
        signature: Annotated[str, Header(alias="Stripe-Signature", max_length=2000)] = "",
    ) -> Response:
        """Receive an event of Stripe, like `POST /api/payments/webhooks`."""
        raise_on_refusal(await deps.payments(ProviderEventService.accept, await request.body(), signature))
        return Response(status_code=204)

    return routes


def _price(body: CheckoutRequest) -> Money:
    """The price that is meant. That client knows 400 alone: what can be no price at all is the price of no plan."""
    if not 0 < body.amount <= LARGEST_AMOUNT or body.amount != body.amount.to_integral_value():
        fault = Fault("amount", f"is a whole number of cents from 1 to {LARGEST_AMOUNT}")
        raise ApiProblem("no_such_price", "No plan is sold for such an amount.", faults=[fault])
    if not _CURRENCY.fullmatch(body.currency):
        fault = Fault("currency", "is a currency's three letters")
        raise ApiProblem("no_such_price", "No plan is sold in such a currency.", faults=[fault])
    return Money(int(body.amount), body.currency.upper())
