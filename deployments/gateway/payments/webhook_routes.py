"""What the payment's provider calls, where its page leads back to, and the reconciliation with it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.payments.checkout_pages import PAGE_POLICY, cancel_page, success_page
from deployments.gateway.payments.schemas import ReconciledDocument
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from deployments.payments.orders import OrderService
from deployments.payments.provider_events import ProviderEventService
from domain.payments.model import OrderState

LARGER_BODIES = {"/payments/webhooks": 1024 * 1024}
"""The largest body of calls whose bodies Stripe decides."""

_SHOWN: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}}}


def router() -> APIRouter:
    """The calls that are about the provider."""
    routes = guarded_router("payments")

    # Its body is read as it is and has no schema, so that a wrong media type has to be declared here.
    @routes.post(
        "/payments/webhooks",
        status_code=204,
        responses=declared("bad_signature", "payments_disabled", "unsupported_media_type"),
    )
    async def webhook(
        request: Request,
        parts: OfParts,
        signature: Annotated[str, Header(alias="Stripe-Signature", max_length=2000)] = "",
    ) -> Response:
        """An event of Stripe, signed: kept, answered, and handled afterwards. Once more changes nothing."""
        granted(await parts.payments(ProviderEventService.accept, await request.body(), signature))
        return Response(status_code=204)

    @routes.get("/checkouts/success", response_class=Response, responses=_SHOWN)
    async def success(
        parts: OfParts,
        order: Annotated[UUID, Query(description="The order's id.")],
        session_id: Annotated[str, Query(pattern="^[!-~]{1,255}$", description="The checkout's own.")],
    ) -> Response:
        """The page after paying; asks the provider itself, so that it is true before the webhook is here."""
        home = f"{parts.settings.api.public_url}/"
        try:
            found = await parts.payments(OrderService.returned, order, session_id)
        except ApiProblem:
            # Whoever has paid sees no error: what is true comes by the webhook.
            return _page(success_page(OrderState.OPEN, None, None, home))
        if found is None:
            return _page(success_page(None, None, None, home))
        return _page(success_page(found.state, found.plan_name, found.ends_on, home))

    @routes.get("/checkouts/cancelled", response_class=Response, responses=_SHOWN)
    async def cancelled(parts: OfParts) -> Response:
        """The page after turning back."""
        return _page(cancel_page(None, f"{parts.settings.api.public_url}/"))

    @routes.post("/payments/reconcile", responses=declared("payments_disabled"))
    async def reconcile(parts: OfParts) -> ReconciledDocument:
        """Compare the provider with the ledger now, and make up for what was missed."""
        return ReconciledDocument.model_validate(granted(await parts.payments(ProviderEventService.reconcile)))

    return routes


def _page(content: str) -> Response:
    return Response(content, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})
