"""The control interface below `/_sandbox/`: what a buyer, a bank or a bad network does. JSON in, JSON out."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox import disputes, refunds, sessions
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.guard import refuse_live
from cluster.local.stripe_sandbox.parameters import (
    Buyer,
    DisputeEnd,
    Flush,
    NewDispute,
    NoParameters,
    Parameters,
    RefundAmount,
    read,
)
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.store import Body
from cluster.local.stripe_sandbox.webhooks import Webhooks

_MAX_DELIVERIES = 1000


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a buyer or a bank does. `run` gets the sandbox, the id of the object, and the parameters."""

    path: str
    parameters: type[Parameters]
    run: Callable[[Sandbox, str, Any], Body]

    def execute(self, sandbox: Sandbox, object_id: str, sent: Body) -> Body:
        """Do it, completely or not at all.

        Returns:
            The object after the change.

        Raises:
            SandboxError: the parameters are wrong, or it is not possible now.
        """
        parameters = read(self.parameters, sent)
        sessions.expire_due(sandbox)
        with sandbox.store.transaction():
            sandbox.events.request = (None, None)
            return self.run(sandbox, object_id, parameters)


def _simple(path: str, run: Callable[[Sandbox, str], Body]) -> Action:
    """Create an action without parameters."""
    return Action(path, NoParameters, lambda sandbox, object_id, _: run(sandbox, object_id))


PAY = Action("sessions/{id}/pay", Buyer, sessions.pay)
PAY_LATER = Action("sessions/{id}/pay-later", Buyer, partial(sessions.pay, delayed=True))
DECLINE = _simple("sessions/{id}/fail", sessions.decline)
ACTIONS = (
    PAY,
    PAY_LATER,
    DECLINE,
    _simple("sessions/{id}/succeed", partial(sessions.settle, outcome="succeeded")),
    _simple("sessions/{id}/payment-failed", partial(sessions.settle, outcome="failed")),
    _simple("sessions/{id}/expire", sessions.expire),
    Action("payment-intents/{id}/dispute", NewDispute, disputes.create),
    Action("payment-intents/{id}/refund", RefundAmount, refunds.refund_payment),
    Action("disputes/{id}/close", DisputeEnd, disputes.close),
    _simple("disputes/{id}/escalate", disputes.escalate),
    _simple("refunds/{id}/succeed", partial(refunds.settle, succeeds=True)),
    _simple("refunds/{id}/fail", partial(refunds.settle, succeeds=False)),
    _simple("events/{id}/resend", lambda sandbox, event_id: sandbox.events.resend(event_id)),
)


class Control:
    """The control interface.

    Args:
        sandbox: what it changes.
        webhooks: what it waits for.
    """

    def __init__(self, sandbox: Sandbox, webhooks: Webhooks) -> None:
        self._sandbox = sandbox
        self._webhooks = webhooks

    def routes(self) -> list[Route]:
        """Return all routes."""
        return [
            Route("/_sandbox/health", self._health),
            Route("/_sandbox/switches", self._switches, methods=["GET", "PUT", "PATCH"]),
            Route("/_sandbox/faults", self._faults, methods=["GET", "PUT"]),
            Route("/_sandbox/webhooks", self._deliveries),
            Route("/_sandbox/webhooks/flush", self._flush, methods=["POST"]),
            Route("/_sandbox/calls", self._calls, methods=["GET", "DELETE"]),
            *[Route(f"/_sandbox/{action.path}", self._endpoint(action), methods=["POST"]) for action in ACTIONS],
        ]

    def _endpoint(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            sent = await _body(request)
            return JSONResponse(action.execute(self._sandbox, request.path_params["id"], sent))

        return endpoint

    async def _health(self, _: Request) -> Response:
        self._sandbox.store.run("SELECT 1")
        return JSONResponse({"status": "ok"})

    async def _switches(self, request: Request) -> Response:
        panel = self._sandbox.panel
        if request.method == "PUT":
            panel.set_switches(await _body(request))
        elif request.method == "PATCH":
            panel.change_switches(await _body(request))
        self._webhooks.wake()
        return JSONResponse(panel.switches.model_dump())

    async def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            self._sandbox.panel.set_faults(await _body(request))
        return JSONResponse(self._sandbox.panel.faults.model_dump())

    async def _deliveries(self, request: Request) -> Response:
        text = request.query_params.get("limit", "100")
        limit = min(int(text), _MAX_DELIVERIES) if text.isdecimal() else _MAX_DELIVERIES
        return JSONResponse({**self._webhooks.counts(), "deliveries": list(self._webhooks.latest(limit))})

    async def _flush(self, request: Request) -> Response:
        sent = read(Flush, await _body(request))
        return JSONResponse(await self._webhooks.flush(sent.timeout_s, at_once=sent.at_once))

    async def _calls(self, request: Request) -> Response:
        found = dict(sorted(self._sandbox.calls.items()))
        if request.method == "DELETE":
            self._sandbox.calls.clear()
        return JSONResponse(found)


async def _body(request: Request) -> Body:
    text = (await request.body()).decode("utf-8", "replace")
    refuse_live(text)
    try:
        sent = json.loads(text) if text.strip() else {}
    except ValueError:
        sent = None
    if not isinstance(sent, dict):
        raise SandboxError("The body must be a JSON object.")
    return sent
