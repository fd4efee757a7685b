"""What the sandbox's pages call."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox.errors import StripeRefusal
from cluster.local.stripe_sandbox.forms import decode_form
from cluster.local.stripe_sandbox.ledger import CHARGE, DISPUTE, SESSION, Ledger
from cluster.local.stripe_sandbox.pages import overview, pay_page
from cluster.local.stripe_sandbox.store import Json, SandboxStore

_SEE_OTHER = 303
_SHOWN = 100


class PageCalls:
    """Serves the pages."""

    def __init__(self, store: SandboxStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            Route("/", self._overview, methods=["GET"]),
            Route("/pay/{id}", self._pay_page, methods=["GET"]),
            Route("/pay/{id}/{act}", self._guarded(self._pay), methods=["POST"]),
            Route("/payments/{id}/{act}", self._guarded(self._payment), methods=["POST"]),
            Route("/disputes/{id}/{act}", self._guarded(self._dispute), methods=["POST"]),
        ]

    async def _overview(self, _request: Request) -> Response:
        sessions = self._store.listed(SESSION, _SHOWN)[:_SHOWN]
        about = {
            intent: [*self._store.of_payment(CHARGE, intent), *self._store.of_payment(DISPUTE, intent)]
            for session in sessions
            if (intent := session["payment_intent"])
        }
        return HTMLResponse(overview(sessions, about, self._store.waiting()))

    async def _pay_page(self, request: Request) -> Response:
        try:
            return HTMLResponse(pay_page(self._ledger.session(request.path_params["id"])))
        except StripeRefusal as refusal:
            return Response(str(refusal), refusal.status)

    def _guarded(self, act: Callable[[str, str, Json], Response]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            told = decode_form(await request.body())
            try:
                with self._store.changing():
                    return act(request.path_params["id"], request.path_params["act"], told)
            except StripeRefusal as refusal:
                return Response(str(refusal), refusal.status)

        return guarded

    def _pay(self, session_id: str, act: str, told: Json) -> Response:
        session = self._ledger.session(session_id)
        if act in {"pay", "later"} and session["status"] == "open":
            address = {name: told.get(name) or None for name in ("line1", "postal_code", "city")}
            buyer = {"email": told.get("email"), "name": told.get("name"), "address": address}
            self._ledger.pay(session_id, buyer, later=act == "later")
        elif act == "decline":
            return HTMLResponse(pay_page(self._ledger.fail(session_id), "The card was declined. Try another one."))
        elif act == "cancel":
            return RedirectResponse(session["cancel_url"], _SEE_OTHER)
        elif act == "expire":
            self._ledger.expire(session_id)
            return _home()
        elif act in {"succeed", "payment-failed"}:
            self._ledger.finish(session_id, succeeds=act == "succeed")
            return _home()
        return RedirectResponse(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id), _SEE_OTHER)

    def _payment(self, intent_id: str, act: str, _told: Json) -> Response:
        if act == "dispute":
            self._ledger.dispute(intent_id, inquiry=False)
        else:
            charge = self._store.of_payment(CHARGE, intent_id)[0]
            half = {"amount": str(charge["amount"] // 2)} if act == "half" else {}
            self._ledger.refund({"payment_intent": intent_id, **half})
        return _home()

    def _dispute(self, dispute_id: str, act: str, _told: Json) -> Response:
        self._ledger.close_dispute(dispute_id, act)
        return _home()


def _home() -> Response:
    return RedirectResponse("/", _SEE_OTHER)
