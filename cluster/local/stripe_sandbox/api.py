"""The part of Stripe's API that is used here, as Stripe's own SDK asks for it."""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cluster.local.stripe_sandbox.errors import StripeRefusal, invalid, missing
from cluster.local.stripe_sandbox.events import shown
from cluster.local.stripe_sandbox.forms import decode_form
from cluster.local.stripe_sandbox.guard import is_live
from cluster.local.stripe_sandbox.ledger import CHARGE, DISPUTE, INTENT, REFUND, SESSION, Ledger
from cluster.local.stripe_sandbox.store import Json, SandboxStore
from cluster.local.stripe_sandbox.switches import Faults

Call = Callable[[Json, str], Json]
_LISTS = {
    "/v1/checkout/sessions": SESSION,
    "/v1/payment_intents": INTENT,
    "/v1/charges": CHARGE,
    "/v1/refunds": REFUND,
    "/v1/disputes": DISPUTE,
    "/v1/events": "event",
}
_MOST = 100


class Api:
    """Answers calls under `/v1`.

    Args:
        store: has the objects and the idempotency keys.
        ledger: lets things happen.
        key: the one that is taken.
    """

    def __init__(self, store: SandboxStore, ledger: Ledger, key: str) -> None:
        self._store = store
        self._ledger = ledger
        self._key = key
        self.faults = Faults()
        self.calls: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        """What is served."""
        posts: dict[str, Call] = {
            "/v1/checkout/sessions": lambda params, _id: self._ledger.create_session(params),
            "/v1/checkout/sessions/{id}/expire": lambda _params, object_id: self._ledger.expire(object_id),
            "/v1/refunds": lambda params, _id: self._ledger.refund(params),
        }
        found = [Route(path, self._endpoint(path, call), methods=["POST"]) for path, call in posts.items()]
        for path, kind in _LISTS.items():
            found.append(Route(f"{path}/{{id}}", self._endpoint(f"{path}/:id", self._getter(kind)), methods=["GET"]))
            found.append(Route(path, self._endpoint(path, self._lister(path, kind)), methods=["GET"]))
        return found

    def _endpoint(self, path: str, call: Call) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            self.calls[f"{request.method} {path.replace('{id}', ':id')}"] += 1
            try:
                self._admit(request)
                fault = await self._fault()
                answered = await self._answer(request, call)
            except StripeRefusal as refusal:
                return _response(refusal.status, refusal.body, request)
            return _Lost() if fault and fault.after else answered

        return answer

    def _admit(self, request: Request) -> None:
        scheme, _, shown_key = request.headers.get("authorization", "").partition(" ")
        if is_live(shown_key):
            raise StripeRefusal(401, "This is a sandbox: it takes no live key.", kind="invalid_request_error")
        if scheme.lower() != "bearer" or not hmac.compare_digest(shown_key.encode(), self._key.encode()):
            raise StripeRefusal(401, "Invalid API Key provided.", kind="invalid_request_error")

    async def _fault(self) -> Faults | None:
        fault = self.faults
        if not fault.active:
            return None
        if fault.next is not None:
            self.faults = fault.model_copy(update={"next": fault.next - 1})
        if fault.hang_s:
            await asyncio.sleep(fault.hang_s)
        if fault.status is not None:
            kind = "rate_limit_error" if fault.status == 429 else "api_error"  # noqa: PLR2004 - of HTTP
            raise StripeRefusal(fault.status, "A fault that was switched on.", kind=kind)
        return fault

    async def _answer(self, request: Request, call: Call) -> Response:
        object_id = request.path_params.get("id", "")
        if request.method == "GET":
            params = decode_form(request.url.query)
            return _response(200, self._done(call, params, object_id), request)
        body = await request.body()
        params = decode_form(body)
        key = request.headers.get("idempotency-key")
        if key is None:
            return _response(200, self._done(call, params, object_id), request)
        asked = hashlib.sha256(f"{request.url.path} ".encode() + body).hexdigest()
        known = self._store.key(key)
        if known is not None:
            return _again(known, asked, request)
        # No other request comes between the question and the answer: all of this is one step of one thread.
        try:
            answered = self._done(call, params, object_id)
        except StripeRefusal as refusal:
            if refusal.body["error"].get("param") is None:  # what was not even valid was not executed
                self._store.keep_key(key, asked, refusal.status, json.dumps(refusal.body))
            raise
        self._store.keep_key(key, asked, 200, json.dumps(answered))
        return _response(200, answered, request)

    def _done(self, call: Call, params: Json, object_id: str) -> Json:
        expand = params.get("expand") or []
        with self._store.changing():
            answered = call(params, object_id)
        return self._expanded(answered, [expand] if isinstance(expand, str) else expand)

    def _getter(self, kind: str) -> Call:
        def get(_params: Json, object_id: str) -> Json:
            found = self._store.get(kind, object_id)
            if found is None:
                raise missing(kind, object_id)
            return found

        return get

    def _lister(self, path: str, kind: str) -> Call:
        def listed(params: Json, _id: str) -> Json:
            limit = str(params.get("limit", 10))
            if not limit.isdigit() or not 1 <= int(limit) <= _MOST:
                raise invalid("limit", f"Invalid limit: must be from 1 to {_MOST}")
            after, before = params.get("starting_after"), params.get("ending_before")
            rows = self._store.listed(
                kind,
                int(limit),
                after=after,
                before=before,
                payment_intent=params.get("payment_intent"),
                created=_created(params.get("created")),
            )
            more = len(rows) > int(limit)
            cut = (rows[1:] if before is not None else rows[: int(limit)]) if more else rows
            wanted = params.get("types") or ([params["type"]] if params.get("type") else None)
            data = [shown(row) for row in cut if wanted is None or row["type"] in wanted]
            if params.get("status"):
                data = [row for row in data if row.get("status") == params["status"]]
            return {"object": "list", "data": data, "has_more": more, "url": path}

        return listed

    def _expanded(self, body: Json, paths: list[str]) -> Json:
        body = shown(body)
        for path in sorted(paths):
            here: Any = body
            for step in path.split("."):
                value = here.get(step) if isinstance(here, dict) else None
                if isinstance(value, str):
                    kind = {"pi": INTENT, "ch": CHARGE}.get(value.partition("_")[0])
                    value = here[step] = shown(self._store.get(kind, value) or {"id": value}) if kind else value
                here = value
        return body


def _again(known: tuple[str, int | None, str | None], asked: str, request: Request) -> Response:
    request_hash, status, body = known
    if request_hash != asked:
        raise StripeRefusal(
            400,
            "Keys for idempotent requests can only be used with the same parameters they were first used with.",
            kind="idempotency_error",
        )
    if status is None or body is None:
        raise StripeRefusal(
            409, "The same request is under way.", kind="idempotency_error", code="idempotency_key_in_use"
        )
    return _response(status, json.loads(body), request, replayed=True)


def _created(told: Any) -> tuple[int, int]:  # noqa: ANN401 - a parameter as it came
    if told is None:
        return 0, 2**53
    if isinstance(told, str):
        return int(told), int(told)
    first = max(int(told.get("gte", 0)), int(told.get("gt", -1)) + 1)
    return first, min(int(told.get("lte", 2**53)), int(told.get("lt", 2**53)) - 1)


def _response(status: int, body: Json, request: Request, *, replayed: bool = False) -> Response:
    headers = {
        "Request-Id": f"req_{secrets.token_hex(7)}",
        "Stripe-Version": request.headers.get("stripe-version", ""),
        **({"Idempotent-Replayed": "true"} if replayed else {}),
    }
    return Response(json.dumps(body), status, headers, media_type="application/json")


class _Lost(Response):
    """An answer that does not arrive: the connection ends without one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG002 - ASGI's own
        """End the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
