"""The control interface under `/_sandbox/`: what a buyer, a bank and a bad network would do. JSON in, JSON out."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox.errors import InvalidParameterError, MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.forms import Form
from cluster.local.stripe_sandbox.guard import refuse_live
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.sessions import FAILED, SUCCEEDED, Buyer, Outcome
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.webhooks import Webhooks
from cluster.local.stripe_sandbox.world import World

Action: TypeAlias = Callable[[World, str, Body], Body]

_MOST_SHOWN = 1000


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Buyer(_Sent):
    name: str | None = Field(default=None, max_length=250)
    email: str | None = Field(default=None, max_length=512)
    address: dict[str, str | None] | None = None

    def buyer(self) -> Buyer:
        return Buyer(self.name or None, self.email or None, self.address)


class _PayLater(_Buyer):
    after_s: float | None = Field(default=None, ge=0)
    outcome: Outcome | None = None


class _Dispute(_Sent):
    inquiry: bool = False


class _Close(_Sent):
    status: str | None = None


class _Refund(_Sent):
    amount: int | None = None
    reason: str | None = None


class _Flush(_Sent):
    timeout_s: float = Field(default=30, gt=0, le=600)
    at_once: bool = False


class _Nothing(_Sent):
    pass


_S = TypeVar("_S", bound=_Sent)


def pay(world: World, session_id: str, sent: Body) -> Body:
    """Complete a session with money that arrives at once."""
    return world.sessions.pay(session_id, _read(_Buyer, sent).buyer())


def pay_later(world: World, session_id: str, sent: Body) -> Body:
    """Complete a session with money that is on its way."""
    own = _read(_PayLater, sent)
    return world.sessions.pay_later(session_id, own.buyer(), own.after_s, own.outcome)


def decline(world: World, session_id: str, sent: Body) -> Body:
    """Let a card be declined."""
    _read(_Nothing, sent)
    return world.sessions.decline(session_id)


def arrive(world: World, session_id: str, sent: Body) -> Body:
    """Let a delayed payment arrive."""
    _read(_Nothing, sent)
    return world.sessions.settle(session_id, SUCCEEDED)


def bounce(world: World, session_id: str, sent: Body) -> Body:
    """Let a delayed payment fail."""
    _read(_Nothing, sent)
    return world.sessions.settle(session_id, FAILED)


def expire(world: World, session_id: str, sent: Body) -> Body:
    """End an open session."""
    _read(_Nothing, sent)
    return world.sessions.expire(session_id)


def dispute(world: World, intent_id: str, sent: Body) -> Body:
    """Dispute a payment, or ask about it."""
    return world.disputes.open(intent_id, inquiry=_read(_Dispute, sent).inquiry)


def escalate(world: World, dispute_id: str, sent: Body) -> Body:
    """Let an inquiry become a dispute."""
    _read(_Nothing, sent)
    return world.disputes.escalate(dispute_id)


def close(world: World, dispute_id: str, sent: Body) -> Body:
    """End a dispute."""
    return world.disputes.close(dispute_id, _read(_Close, sent).status)


def refund(world: World, intent_id: str, sent: Body) -> Body:
    """Give a payment back, or a part of it, as somebody at Stripe's dashboard would."""
    own = _read(_Refund, sent)
    form: Form = {"payment_intent": intent_id}
    if own.amount is not None:
        form["amount"] = str(own.amount)
    if own.reason is not None:
        form["reason"] = own.reason
    return world.refunds.create(Parameters(form))


def refund_arrives(world: World, refund_id: str, sent: Body) -> Body:
    """Let a pending refund arrive."""
    _read(_Nothing, sent)
    return world.refunds.settle(refund_id, arrives=True)


def refund_fails(world: World, refund_id: str, sent: Body) -> Body:
    """Let a refund fail."""
    _read(_Nothing, sent)
    return world.refunds.settle(refund_id, arrives=False)


def resend(world: World, event_id: str, sent: Body) -> Body:
    """Send an event once more."""
    _read(_Nothing, sent)
    kept = world.store.find(event_id, "event")
    if kept is None:
        raise MissingResourceError("event", event_id, "id")
    world.events.send_again(event_id)
    return kept.body


ACTIONS: dict[str, Action] = {
    "sessions/{id}/pay": pay,
    "sessions/{id}/pay-later": pay_later,
    "sessions/{id}/fail": decline,
    "sessions/{id}/succeed": arrive,
    "sessions/{id}/payment-failed": bounce,
    "sessions/{id}/expire": expire,
    "payment-intents/{id}/dispute": dispute,
    "payment-intents/{id}/refund": refund,
    "disputes/{id}/close": close,
    "disputes/{id}/escalate": escalate,
    "refunds/{id}/succeed": refund_arrives,
    "refunds/{id}/fail": refund_fails,
    "events/{id}/resend": resend,
}


def act(world: World, action: Action, object_id: str, sent: Body) -> Body:
    """Carry an action out, all of it or nothing.

    Raises:
        SandboxError: it cannot be.
    """
    world.catch_up()
    with world.store.transaction():
        world.events.request = (None, None)
        return action(world, object_id, sent)


class Control:
    """The routes of the control interface.

    Args:
        world: what they change.
        webhooks: what they wait for.
    """

    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world = world
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """All of them."""
        own = [
            Route("/_sandbox/health", self._health),
            Route("/_sandbox/switches", self._switches, methods=["GET", "PUT", "PATCH"]),
            Route("/_sandbox/faults", self._faults, methods=["GET", "PUT"]),
            Route("/_sandbox/webhooks", self._deliveries),
            Route("/_sandbox/webhooks/flush", self._flush, methods=["POST"]),
            Route("/_sandbox/calls", self._calls, methods=["GET", "DELETE"]),
        ]
        for path, action in ACTIONS.items():
            own.append(Route(f"/_sandbox/{path}", self._endpoint(action), methods=["POST"]))
        return own

    def _endpoint(self, action: Action) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            sent = await _body(request)
            return JSONResponse(act(self._world, action, request.path_params["id"], sent))

        return endpoint

    async def _health(self, _: Request) -> Response:
        self._world.store.run("SELECT 1")
        return JSONResponse({"status": "ok"})

    async def _switches(self, request: Request) -> Response:
        panel = self._world.panel
        if request.method == "PUT":
            panel.turn(await _body(request))
        elif request.method == "PATCH":
            panel.turn_some(await _body(request))
        self._webhooks.wake()
        return JSONResponse(panel.switches.model_dump())

    async def _faults(self, request: Request) -> Response:
        panel = self._world.panel
        if request.method == "PUT":
            panel.break_calls(await _body(request))
        return JSONResponse(panel.faults.model_dump())

    async def _deliveries(self, request: Request) -> Response:
        text = request.query_params.get("limit", "100")
        limit = min(int(text), _MOST_SHOWN) if text.isdecimal() else _MOST_SHOWN
        latest = self._webhooks.latest(limit, request.query_params.get("event"))
        return JSONResponse({**self._webhooks.counts(), "deliveries": list(latest)})

    async def _flush(self, request: Request) -> Response:
        sent = _read(_Flush, await _body(request))
        return JSONResponse(await self._webhooks.flush(sent.timeout_s, at_once=sent.at_once))

    async def _calls(self, request: Request) -> Response:
        found = dict(sorted(self._world.calls.items()))
        if request.method == "DELETE":
            self._world.calls.clear()
        return JSONResponse(found)


async def _body(request: Request) -> Body:
    text = (await request.body()).decode("utf-8", "replace")
    refuse_live(text)
    if not text.strip():
        return {}
    try:
        sent = json.loads(text)
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise SandboxError("The body must be a JSON object.", began=False)
    return sent


def _read(kind: type[_S], sent: Body) -> _S:
    try:
        return kind.model_validate(sent)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        param = ".".join(str(part) for part in first["loc"])
        raise InvalidParameterError(f"{param}: {first['msg']}", param) from None
