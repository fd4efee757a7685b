"""The calls of Stripe's API that the sandbox has, and how one is executed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from cluster.local.stripe_sandbox import refunds, sessions
from cluster.local.stripe_sandbox.disputes import DISPUTE
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.events import EVENT
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.guard import check_key, refuse_live
from cluster.local.stripe_sandbox.idempotency import SavedResponse
from cluster.local.stripe_sandbox.parameters import (
    ListPage,
    NewRefund,
    NewSession,
    NoParameters,
    Parameters,
    PaymentListPage,
    SessionExpansion,
    read,
)
from cluster.local.stripe_sandbox.payments import INTENT
from cluster.local.stripe_sandbox.refunds import REFUND
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.sessions import SESSION
from cluster.local.stripe_sandbox.store import Body, new_id, to_json

# The server puts a function under this name into each request, which closes the connection.
CLOSE_CONNECTION = "fitmonitor.close_connection"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_TOO_MANY_REQUESTS, _SERVER_ERROR = 429, 500


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API. `run` gets the sandbox, the id in the path, and the parameters."""

    method: str
    path: str
    parameters: type[Parameters]
    run: Callable[[Sandbox, str, Any], Body]


def _payment(sandbox: Sandbox, intent_id: str, _: NoParameters) -> Body:
    return sandbox.store.get(INTENT, intent_id).body


def _list(kind: str, path: str) -> Callable[[Sandbox, str, Any], Body]:
    def run(sandbox: Sandbox, _: str, sent: ListPage) -> Body:
        payment_intent = sent.payment_intent if isinstance(sent, PaymentListPage) else None
        if payment_intent is not None:
            sandbox.store.get(INTENT, payment_intent, "payment_intent")
        found = sandbox.store.newest(kind, sent.limit + 1, sent.starting_after, sent.created.gte, payment_intent)
        return {"object": "list", "data": found[: sent.limit], "has_more": len(found) > sent.limit, "url": path}

    return run


_CALLS = (
    Call("POST", "/v1/checkout/sessions", NewSession, sessions.create),
    Call("GET", "/v1/checkout/sessions", ListPage, _list(SESSION, "/v1/checkout/sessions")),
    Call("GET", "/v1/checkout/sessions/{id}", SessionExpansion, sessions.retrieve),
    Call("POST", "/v1/checkout/sessions/{id}/expire", SessionExpansion, sessions.expire),
    Call("POST", "/v1/refunds", NewRefund, refunds.create),
    Call("GET", "/v1/refunds", PaymentListPage, _list(REFUND, "/v1/refunds")),
    Call("GET", "/v1/disputes", PaymentListPage, _list(DISPUTE, "/v1/disputes")),
    Call("GET", "/v1/payment_intents/{id}", NoParameters, _payment),
    Call("GET", "/v1/events", ListPage, _list(EVENT, "/v1/events")),
)


class Api:
    """Answers API calls as Stripe does.

    Args:
        sandbox: what they read and change.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """Return the routes below `/v1/`."""
        known = [Route(call.path, self._endpoint(call), methods=[call.method]) for call in _CALLS]
        return [*known, Route("/v1/{path:path}", self._endpoint(None), methods=_METHODS)]

    def _endpoint(self, call: Call | None) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request_id = new_id("req")
            version = request.headers.get("stripe-version") or self._sandbox.panel.switches.api_version
            headers = {"Request-Id": request_id, "Stripe-Version": version}
            try:
                body = (await request.body()).decode("utf-8", "replace")
                refuse_live(body)
                check_key(request.headers.get("authorization"), self._sandbox.secrets.api_key.get_secret_value())
                return await self._respond(request, call, body, request_id, headers)
            except SandboxError as error:
                return Response(to_json(error.body), error.status, headers, "application/json")
            except asyncio.CancelledError:
                return _NoResponse()  # the server stops while the call hangs

        return endpoint

    async def _respond(
        self, request: Request, call: Call | None, body: str, request_id: str, headers: dict[str, str]
    ) -> Response:
        if call is None:
            message = f"Unrecognized request URL ({request.method}: {request.url.path[:200]})."
            raise SandboxError(f"{message} The sandbox has only a part of Stripe's API.", status=404)
        self._sandbox.calls[f"{call.method} {call.path.replace('{id}', ':id')}"] += 1
        fault = self._sandbox.panel.take_fault()
        if fault.status is not None and not fault.after:
            await self._sandbox.panel.hang(fault)
            raise _failure(fault.status)
        is_post = call.method == "POST"
        form = decode(body if is_post else request.url.query)
        key = request.headers.get("idempotency-key") if is_post else None
        response = self._sandbox.keys.claim(key, request.url.path, form) if key else None
        if response is not None:
            headers["Idempotent-Replayed"] = "true"
        else:
            try:
                # The key stays claimed meanwhile, as it does at Stripe while a call is in progress.
                if fault.hang_s and not fault.after:
                    await self._sandbox.panel.hang(fault)
                response = self._execute(request, call, form, key, request_id)
            finally:
                if key:
                    self._sandbox.keys.release(key)
        if key:
            headers |= {"Idempotency-Key": key, "Original-Request": response.request}
        if fault.after:
            await self._sandbox.panel.hang(fault)
            return _NoResponse()
        return Response(response.text, response.status, headers, "application/json")

    def _execute(self, request: Request, call: Call, form: Form, key: str | None, request_id: str) -> SavedResponse:
        """Execute a call without a pause, so that no other call comes between.

        Raises:
            SandboxError: the parameters are wrong, or a call without a key failed.
        """
        sandbox, object_id = self._sandbox, request.path_params.get("id", "")
        # Stripe saves no response of a call whose parameters are wrong; everything after is saved with the key.
        parameters = read(call.parameters, form)
        sessions.expire_due(sandbox)
        sandbox.events.request = (request_id, key)
        try:
            with sandbox.store.transaction():
                response = SavedResponse(200, to_json(call.run(sandbox, object_id, parameters)), request_id)
                if key:
                    sandbox.keys.save(key, request.url.path, form, response)
        except SandboxError as error:
            if not key:
                raise
            response = SavedResponse(error.status, to_json(error.body), request_id)
            sandbox.keys.save(key, request.url.path, form, response)
        return response


class _NoResponse(Response):
    """Closes the connection without sending anything."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        scope["extensions"][CLOSE_CONNECTION]()
        while (await receive())["type"] != "http.disconnect":  # until the server has noticed
            pass


def _failure(status: int) -> SandboxError:
    if status == _TOO_MANY_REQUESTS:
        return SandboxError("Request rate limit exceeded.", status=status, code="rate_limit")
    kind = "api_error" if status >= _SERVER_ERROR else "invalid_request_error"
    return SandboxError("The sandbox returns this error because of a fault that was set.", status=status, kind=kind)
