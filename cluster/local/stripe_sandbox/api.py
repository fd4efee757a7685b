"""The part of Stripe's API that the sandbox has: what each call does, and which call a path is."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cluster.local.stripe_sandbox.disputes import DISPUTE
from cluster.local.stripe_sandbox.errors import MissingResourceError, SandboxError
from cluster.local.stripe_sandbox.expand import expand
from cluster.local.stripe_sandbox.listing import list_objects
from cluster.local.stripe_sandbox.parameters import Parameters
from cluster.local.stripe_sandbox.payments import CHARGE, INTENT
from cluster.local.stripe_sandbox.refunds import REFUND
from cluster.local.stripe_sandbox.sessions import SESSION, line_items_of
from cluster.local.stripe_sandbox.store import text_of
from cluster.local.stripe_sandbox.world import World

Run: TypeAlias = Callable[[World, Parameters, str], str]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API. `route` is how it is counted: `POST /v1/refunds`."""

    method: str
    pattern: re.Pattern[str]
    route: str
    run: Run


def find_call(method: str, path: str) -> tuple[Call, str]:
    """Which call a request is, and the id in its path.

    Raises:
        SandboxError: there is none.
    """
    for call in _CALLS:
        match = call.pattern.fullmatch(path)
        if match and call.method == method:
            return call, match[1] if match.lastindex else ""
    message = f"Unrecognized request URL ({method}: {path[:200]}). The sandbox has a part of Stripe's API alone."
    raise SandboxError(message, status=404, began=False)


def _create_session(world: World, sent: Parameters, _: str) -> str:
    names = sent.texts("expand")
    return text_of(expand(world.store, world.sessions.create(sent), names))


def _expire_session(world: World, sent: Parameters, session_id: str) -> str:
    names = sent.texts("expand")
    sent.done()
    return text_of(expand(world.store, world.sessions.expire(session_id), names))


def _line_items(world: World, sent: Parameters, session_id: str) -> str:
    sent.integer("limit", 1, 100)
    sent.done()
    return text_of(line_items_of(world.sessions.find(session_id)))


def _create_refund(world: World, sent: Parameters, _: str) -> str:
    names = sent.texts("expand")
    return text_of(expand(world.store, world.refunds.create(sent), names))


def _retrieve(kind: str, param: str) -> Run:
    def run(world: World, sent: Parameters, object_id: str) -> str:
        names = sent.texts("expand")
        sent.done()
        if not names:
            text = world.store.find_text(object_id, kind)
            if text is not None:
                return text
        kept = world.store.find(object_id, kind)
        if kept is None:
            raise MissingResourceError(kind, object_id, param)
        return text_of(expand(world.store, kept.body, names))

    return run


def _list(kind: str, url: str, *filters: str) -> Run:
    def run(world: World, sent: Parameters, _: str) -> str:
        names = sent.texts("expand")
        return text_of(expand(world.store, list_objects(world.store, kind, url, sent, filters), names))

    return run


def _calls() -> Sequence[Call]:
    sessions, refunds = "/v1/checkout/sessions", "/v1/refunds"
    own: list[tuple[str, str, Run]] = [
        ("POST", sessions, _create_session),
        ("GET", f"{sessions}/{{id}}", _retrieve(SESSION, "session")),
        ("GET", sessions, _list(SESSION, sessions, "payment_intent", "status")),
        ("POST", f"{sessions}/{{id}}/expire", _expire_session),
        ("GET", f"{sessions}/{{id}}/line_items", _line_items),
        ("POST", refunds, _create_refund),
        ("GET", f"{refunds}/{{id}}", _retrieve(REFUND, "id")),
        ("GET", refunds, _list(REFUND, refunds, "payment_intent", "charge")),
        ("GET", "/v1/payment_intents/{id}", _retrieve(INTENT, "intent")),
        ("GET", "/v1/payment_intents", _list(INTENT, "/v1/payment_intents")),
        ("GET", "/v1/charges/{id}", _retrieve(CHARGE, "id")),
        ("GET", "/v1/charges", _list(CHARGE, "/v1/charges", "payment_intent")),
        ("GET", "/v1/disputes/{id}", _retrieve(DISPUTE, "dispute")),
        ("GET", "/v1/disputes", _list(DISPUTE, "/v1/disputes", "payment_intent", "charge")),
        ("GET", "/v1/events/{id}", _retrieve("event", "id")),
        ("GET", "/v1/events", _list("event", "/v1/events", "types")),
    ]
    return [
        Call(
            method,
            re.compile(route.replace("{id}", "([A-Za-z0-9_]+)")),
            f"{method} {route.replace('{id}', ':id')}",
            run,
        )
        for method, route, run in own
    ]


_CALLS = _calls()
