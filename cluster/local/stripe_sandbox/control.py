"""What tests and the sandbox's own page let happen: payments, disputes, webhooks that go astray, an API that fails."""

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cluster.local.stripe_sandbox.api import Api
from cluster.local.stripe_sandbox.delivery import Delivery
from cluster.local.stripe_sandbox.errors import StripeRefusal
from cluster.local.stripe_sandbox.events import EventLog, shown
from cluster.local.stripe_sandbox.ledger import Ledger
from cluster.local.stripe_sandbox.store import Json, SandboxStore
from cluster.local.stripe_sandbox.switches import Faults, Switches

_FLUSH_WITHIN_S = 30.0
Done = Callable[[str, Json], Json]


class Control:
    """Answers calls under `/_sandbox`."""

    def __init__(self, store: SandboxStore, ledger: Ledger, events: EventLog, delivery: Delivery, api: Api) -> None:
        self._store = store
        self._ledger = ledger
        self._events = events
        self._delivery = delivery
        self._api = api

    def routes(self) -> list[Route]:
        """What is served."""
        ledger = self._ledger
        acts: dict[str, Done] = {
            "sessions/{id}/pay": ledger.pay,
            "sessions/{id}/pay-later": lambda one, told: ledger.pay(one, told, later=True),
            "sessions/{id}/fail": lambda one, _told: ledger.fail(one),
            "sessions/{id}/succeed": lambda one, _told: ledger.finish(one, succeeds=True),
            "sessions/{id}/payment-failed": lambda one, _told: ledger.finish(one, succeeds=False),
            "sessions/{id}/expire": lambda one, _told: ledger.expire(one),
            "payment-intents/{id}/dispute": lambda one, told: ledger.dispute(one, inquiry=bool(told.get("inquiry"))),
            "payment-intents/{id}/refund": lambda one, told: ledger.refund({"payment_intent": one, **told}),
            "disputes/{id}/close": lambda one, told: ledger.close_dispute(one, str(told.get("status", "won"))),
            "refunds/{id}/fail": lambda one, _told: ledger.fail_refund(one),
        }
        return [
            *(Route(f"/_sandbox/{path}", self._act(act), methods=["POST"]) for path, act in acts.items()),
            Route("/_sandbox/events/{id}/resend", self._resend, methods=["POST"]),
            Route("/_sandbox/switches", self._switches, methods=["GET", "PUT"]),
            Route("/_sandbox/faults", self._faults, methods=["GET", "PUT"]),
            Route("/_sandbox/webhooks/flush", self._flush, methods=["POST"]),
            Route("/_sandbox/calls", self._calls, methods=["GET", "DELETE"]),
            Route("/_sandbox/health", self._health, methods=["GET"]),
        ]

    def _act(self, act: Done) -> Callable[[Request], Any]:
        async def acted(request: Request) -> Response:
            told = await request.json() if await request.body() else {}
            try:
                with self._store.changing():
                    return JSONResponse(shown(act(request.path_params["id"], told)))
            except StripeRefusal as refusal:
                return JSONResponse(refusal.body, refusal.status)

        return acted

    async def _resend(self, request: Request) -> Response:
        self._events.resend(request.path_params["id"])
        return JSONResponse({})

    async def _switches(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                self._events.set(Switches.model_validate(await request.json()))
            except ValidationError as error:
                return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, 422)
        return JSONResponse(self._events.switches.model_dump())

    async def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                self._api.faults = Faults.model_validate(await request.json())
            except ValidationError as error:
                return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, 422)
        return JSONResponse(self._api.faults.model_dump())

    async def _flush(self, _request: Request) -> Response:
        return JSONResponse({"waiting": await self._delivery.flush(_FLUSH_WITHIN_S)})

    async def _calls(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._api.calls.clear()
        return JSONResponse(dict(self._api.calls))

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})
