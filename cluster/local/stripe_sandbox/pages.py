"""The routes of the pages: the one to pay at, the one of all payments, and what their buttons do."""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox.control import ACTIONS, Action, act, decline, pay, pay_later
from cluster.local.stripe_sandbox.currencies import currency_named
from cluster.local.stripe_sandbox.errors import InvalidParameterError, MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.guard import refuse_live
from cluster.local.stripe_sandbox.layout import STYLE_PATH, page, style
from cluster.local.stripe_sandbox.overview_page import overview_page
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.pay_page import pay_page, success_url
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.webhooks import Webhooks
from cluster.local.stripe_sandbox.world import World

_SEE_OTHER = 303
_AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{0,3}))?")
_CONFLICT = 409
_ADDRESS = ("line1", "postal_code", "city", "country")
_PAYING = {"pay": pay, "later": pay_later}


class Pages:
    """Everything that a person sees.

    Args:
        world: what it shows and changes.
        webhooks: shown too.
    """

    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world = world
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/", self._overview),
            Route("/pay/{id}", self._pay, methods=["GET", "POST"]),
            Route("/actions/{kind}/{id}/{verb}", self._act, methods=["POST"]),
            Route(STYLE_PATH, self._style),
        ]

    async def _style(self, _: Request) -> Response:
        return style()

    async def _overview(self, request: Request) -> Response:
        self._world.catch_up()
        return self._all(request.query_params.get("after"), None)

    async def _act(self, request: Request) -> Response:
        names = request.path_params
        try:
            fields = _texts(await _form(request))
            act(self._world, _action(names["kind"], names["verb"]), names["id"], self._sent(names["id"], fields))
        except SandboxError as error:
            return self._all(None, error.message, error.status)
        return RedirectResponse("/", _SEE_OTHER)

    async def _pay(self, request: Request) -> Response:
        self._world.catch_up()
        session_id = request.path_params["id"]
        try:
            if request.method == "GET":
                return self._session(session_id, {}, None)
            fields = _texts(await _form(request))
            return self._press(session_id, fields)
        except MissingResourceError:
            return page("Checkout", "<h1>Checkout</h1><p>There is no such session.</p>", status=404)
        except SandboxError as error:
            return page("Checkout", "<h1>Checkout</h1><p>This cannot be read.</p>", status=error.status)

    def _press(self, session_id: str, fields: Mapping[str, str]) -> Response:
        session = self._world.sessions.find(session_id).body
        pressed = fields.get("action")
        try:
            if pressed == "cancel" and session["cancel_url"]:
                return RedirectResponse(session["cancel_url"], _SEE_OTHER)
            if pressed == "decline":
                act(self._world, decline, session_id, {})
                return self._session(session_id, fields, None)
            if pressed in _PAYING:
                buyer = _buyer(fields, required=session["billing_address_collection"] == "required")
                paid = act(self._world, _PAYING[pressed], session_id, buyer)
                return RedirectResponse(success_url(paid), _SEE_OTHER)
        except SandboxError as error:
            is_over = self._world.sessions.find(session_id).body["status"] != "open"
            # Somebody was faster: the page says what has become of the session.
            problem, status = (None, _CONFLICT) if is_over else (error.message, error.status)
            return self._session(session_id, fields, problem, status)
        return self._session(session_id, fields, "There is no such button.", 400)

    def _session(self, session_id: str, entered: Mapping[str, str], problem: str | None, status: int = 200) -> Response:
        kept = self._world.sessions.find(session_id)
        return page("Checkout", pay_page(kept, entered, problem), status=status)

    def _all(self, after: str | None, problem: str | None, status: int = 200) -> Response:
        body = overview_page(self._world, self._webhooks, after, problem)
        return page("All payments", body, status=status, wide=True)

    def _sent(self, object_id: str, fields: Mapping[str, str]) -> Body:
        sent: Body = {name: value for name, value in fields.items() if value}
        if "inquiry" in sent:
            sent["inquiry"] = sent["inquiry"] == "true"
        if "amount" in sent:
            intent = self._world.payments.intent(object_id).body
            sent["amount"] = _minor_units(sent["amount"], intent["currency"])
        return sent


def _action(kind: str, verb: str) -> Action:
    action = ACTIONS.get(f"{kind}/{{id}}/{verb}")
    if action is None:
        raise SandboxError("There is no such button.", status=404)
    return action


async def _form(request: Request) -> Form:
    text = (await request.body()).decode("utf-8", "replace")
    refuse_live(text)
    return decode(text)


def _texts(form: Form) -> Mapping[str, str]:
    return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


def _buyer(fields: Mapping[str, str], *, required: bool) -> Body:
    address = {name: fields[name] for name in _ADDRESS if fields.get(name)}
    if required and len(address) < len(_ADDRESS):
        raise InvalidParameterError("The address is needed: street, postal code, city and country.", "address")
    email = Parameters({"email": fields["email"]}).email("email") if fields.get("email") else None
    buyer: Body = {"name": fields.get("name") or None, "email": email}
    if address:
        buyer["address"] = address
    return buyer


def _minor_units(text: str, currency: str) -> int:
    """An amount as a person writes it, `4.00` or `4,00`, in minor units."""
    match = _AMOUNT.fullmatch(text)
    places = currency_named(currency).decimals
    fraction = (match[2] or "").rstrip("0") if match else ""
    if match is None or len(fraction) > places:
        raise InvalidParameterError(f"{text[:20]} is no amount of {currency.upper()}.", "amount")
    return int(match[1] + fraction.ljust(places, "0"))
