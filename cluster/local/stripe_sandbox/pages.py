"""The pages: checkout, the overview, and the buttons on them."""

import re
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox import sessions
from cluster.local.stripe_sandbox.checkout_page import checkout_page, success_url
from cluster.local.stripe_sandbox.control import ACTIONS, DECLINE, PAY, PAY_LATER, Action
from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.guard import refuse_live
from cluster.local.stripe_sandbox.layout import STYLE_PATH, page, style
from cluster.local.stripe_sandbox.overview_page import overview_page
from cluster.local.stripe_sandbox.payments import INTENT
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.sessions import SESSION
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.webhooks import Webhooks
from domain.currencies import currency_of

_SEE_OTHER, _CONFLICT = 303, 409
_AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{0,3}))?")
_ADDRESS = ("line1", "postal_code", "city", "country")
_BUTTONS = {"pay": PAY, "later": PAY_LATER, "decline": DECLINE}


class Pages:
    """Everything that a person sees in a browser.

    Args:
        sandbox: what the pages show and change.
        webhooks: shown on the overview.
    """

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """Return all routes."""
        buttons = [Route(f"/actions/{action.path}", self._button(action), methods=["POST"]) for action in ACTIONS]
        return [
            Route("/", self._show_overview),
            Route("/pay/{id}", self._checkout, methods=["GET", "POST"]),
            *buttons,
            Route(STYLE_PATH, style),
        ]

    async def _show_overview(self, request: Request) -> Response:
        sessions.expire_due(self._sandbox)
        return self._overview(request.query_params.get("after"), None)

    def _button(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            object_id = request.path_params["id"]
            try:
                sent: Body = {name: value for name, value in (await _form(request)).items() if value}
                if "amount" in sent:
                    currency = self._sandbox.store.get(INTENT, object_id).body["currency"]
                    sent["amount"] = _minor_units(sent["amount"], currency.upper())
                action.execute(self._sandbox, object_id, sent)
            except SandboxError as error:
                return self._overview(None, error.message, error.status)
            return RedirectResponse("/", _SEE_OTHER)

        return endpoint

    async def _checkout(self, request: Request) -> Response:
        sessions.expire_due(self._sandbox)
        session_id = request.path_params["id"]
        try:
            if request.method == "GET":
                return self._session(session_id, {}, None)
            return self._press(session_id, await _form(request))
        except MissingResourceError:
            return page("Checkout", "<h1>Checkout</h1><p>This checkout does not exist.</p>", status=404)
        except SandboxError as error:
            return page("Checkout", f"<h1>Checkout</h1><p>{escape(error.message)}</p>", status=error.status)

    def _press(self, session_id: str, fields: Mapping[str, str]) -> Response:
        session = self._sandbox.store.get(SESSION, session_id).body
        pressed = fields.get("action", "")
        if pressed == "cancel" and session["cancel_url"]:
            return RedirectResponse(session["cancel_url"], _SEE_OTHER)
        action = _BUTTONS.get(pressed)
        if action is None:
            return self._session(session_id, fields, "This button does not exist.", 400)
        try:
            session = action.execute(self._sandbox, session_id, {} if action is DECLINE else _buyer(fields))
        except SandboxError as error:
            if self._sandbox.store.get(SESSION, session_id).body["status"] == "open":
                return self._session(session_id, fields, error.message, error.status)
            return self._session(session_id, fields, None, _CONFLICT)  # it was paid or has expired meanwhile
        if session["status"] == "open":  # the card was declined
            return self._session(session_id, fields, None)
        return RedirectResponse(success_url(session), _SEE_OTHER)

    def _session(self, session_id: str, entered: Mapping[str, str], problem: str | None, status: int = 200) -> Response:
        found = self._sandbox.store.get(SESSION, session_id)
        return page("Checkout", checkout_page(found, entered, problem), status=status)

    def _overview(self, after: str | None, problem: str | None, status: int = 200) -> Response:
        body = overview_page(self._sandbox, self._webhooks, after, problem)
        return page("All payments", body, status=status, wide=True)


async def _form(request: Request) -> Mapping[str, str]:
    text = (await request.body()).decode("utf-8", "replace")
    refuse_live(text)
    return {name: value.strip() for name, value in parse_qsl(text)}


def _buyer(fields: Mapping[str, str]) -> Body:
    buyer: Body = {name: fields[name] for name in ("name", "email") if fields.get(name)}
    address = {name: fields[name] for name in _ADDRESS if fields.get(name)}
    return buyer | ({"address": address} if address else {})


def _minor_units(text: str, currency: str) -> int:
    """Read an amount as people write it, such as `4.00` or `4,00`."""
    match = _AMOUNT.fullmatch(text)
    decimals = currency_of(currency).decimals
    fraction = (match[2] or "").rstrip("0") if match else ""
    if match is None or len(fraction) > decimals:
        raise SandboxError(f"{text[:20]} is not an amount in {currency}.", param="amount")
    return int(match[1] + fraction.ljust(decimals, "0"))
