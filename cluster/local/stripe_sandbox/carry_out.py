"""How a call to `/v1/…` is carried out: its key, its parameters, what goes wrong with it, its answer."""

import asyncio
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cluster.local.stripe_sandbox.api import Call, find_call
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.forms import Form, decode
from cluster.local.stripe_sandbox.guard import check_key, refuse_live
from cluster.local.stripe_sandbox.idempotency import Answer
from cluster.local.stripe_sandbox.ids import new_id
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.store import text_of
from cluster.local.stripe_sandbox.switches import Faults
from cluster.local.stripe_sandbox.world import World

# Under this name the server gives each request a way to cut its connection.
HANG_UP = "fitmonitor.hang_up"
_TOO_MANY, _SERVER_ERROR = 429, 500


class NoAnswer(Response):
    """The connection is closed without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Close it, and wait until the server has noticed."""
        scope["extensions"][HANG_UP]()
        while (await receive())["type"] != "http.disconnect":
            pass


class ApiCalls:
    """Answers calls as Stripe would.

    Args:
        world: what they change.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    async def answer(self, request: Request) -> Response:
        """Answer one call."""
        request_id = new_id("req")
        try:
            text = (await request.body()).decode("utf-8", "replace")
            refuse_live(text)
            check_key(request.headers.get("authorization"), self._world.secrets.api_key.get_secret_value())
            call, object_id = find_call(request.method, request.url.path)
            self._world.calls[call.route] += 1
            return await self._carry_out(request, call, object_id, text, request_id)
        except SandboxError as error:
            headers = self._headers(request, request_id)
            return Response(text_of(error.body), error.status, headers, "application/json")
        except asyncio.CancelledError:
            # The server ends and does not wait for a call that was told to hang; nor need its log tell of it.
            return NoAnswer()

    async def _carry_out(self, request: Request, call: Call, object_id: str, text: str, request_id: str) -> Response:
        fault = self._world.panel.take_fault() or Faults()
        if fault.status is not None and not fault.after:
            await self._world.panel.hang(fault)
            raise _failure(fault.status)
        form = decode(text if call.method == "POST" else request.url.query)
        key = request.headers.get("idempotency-key") if call.method == "POST" else None
        path = request.url.path
        kept = self._world.keys.begin(key, path, form) if key else None
        headers = self._headers(request, request_id)
        if key:
            headers["Idempotency-Key"] = key
        if kept is not None:
            headers["Idempotent-Replayed"] = "true"
            answer = kept
        else:
            try:
                # The key is in use meanwhile, as it is with Stripe while a call takes its time.
                if fault.hang_s and not fault.after:
                    await self._world.panel.hang(fault)
                answer = self._execute(call, object_id, form, key, path, request_id)
            finally:
                if key:
                    self._world.keys.end(key)
        if key:
            headers["Original-Request"] = answer.request
        if fault.after:
            await self._world.panel.hang(fault)
            return NoAnswer()
        return Response(answer.text, answer.status, headers, "application/json")

    def _execute(self, call: Call, object_id: str, form: Form, key: str | None, path: str, request_id: str) -> Answer:
        """Carry a call out, without a pause in which another could come between."""
        world = self._world
        world.catch_up()
        world.events.request = (request_id, key)
        if call.method == "GET":
            return Answer(200, call.run(world, Parameters(form), object_id), request_id)
        try:
            with world.store.transaction():
                answer = Answer(200, call.run(world, Parameters(form), object_id), request_id)
                if key:
                    world.keys.keep(key, path, form, answer)
        except SandboxError as error:
            if not key or not error.began:
                raise
            answer = Answer(error.status, text_of(error.body), request_id)
            with world.store.transaction():
                world.keys.keep(key, path, form, answer)
        return answer

    def _headers(self, request: Request, request_id: str) -> dict[str, str]:
        headers: Mapping[str, str] = request.headers
        version = headers.get("stripe-version") or self._world.panel.switches.api_version
        return {"Request-Id": request_id, "Stripe-Version": version}


def _failure(status: int) -> SandboxError:
    if status == _TOO_MANY:
        message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        return SandboxError(message, status=status, code="rate_limit", began=False)
    kind = "api_error" if status >= _SERVER_ERROR else "invalid_request_error"
    return SandboxError("The sandbox was told to fail.", status=status, kind=kind, began=False)
