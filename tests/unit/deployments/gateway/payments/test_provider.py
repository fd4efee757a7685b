"""What the payment provider sends, where its page leads back to, and the reconciliation with it."""

import hashlib
import hmac
import time
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from deployments.gateway.payments.pages import PAGE_POLICY
from deployments.payments.services import payment_services
from domain.identity.model import Role
from domain.ids import new_id
from domain.outbox import outbox
from domain.payments.provider_events import TOPIC
from domain.payments.tables import stripe_events
from integrations.kafka.messages import decode_payment_event
from integrations.settings import StripeSettings
from integrations.stripe.provider import StripePayments
from tests.payment_provider import sent
from tests.unit.deployments.gateway.purchases import (
    bought,
    by_handle,
    days_pass,
    newcomer,
    ordered,
    session_of,
    without_provider,
)
from tests.unit.deployments.harness import PUBLIC_URL, Harness, assert_problem

pytestmark = pytest.mark.anyio

SECRET = "whsec_of_a_test"  # noqa: S105 - of nobody
JSON = {"Content-Type": "application/json; charset=utf-8"}  # as Stripe sends it
SIGNED = {"Stripe-Signature": "signed"}


async def hooked(harness: Harness, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    told = JSON | (SIGNED if headers is None else headers)
    return await harness.client.post("/payments/webhooks", content=body, headers=told)


def kept(harness: Harness) -> list[tuple[str, str]]:
    """The events that are kept, and what has become of each."""
    with harness.world.store.reading() as connection:
        rows = connection.execute(select(stripe_events.c.id, stripe_events.c.state).order_by(stripe_events.c.id))
        return [(row.id, row.state) for row in rows]


def handed_on(harness: Harness) -> list[tuple[str, str]]:
    """Keys and ids of the events that wait for Kafka."""
    with harness.world.store.reading() as connection:
        rows = connection.execute(select(outbox).where(outbox.c.topic == TOPIC).order_by(outbox.c.id)).all()
    return [(row.key, decode_payment_event(row.payload.encode()).event_id) for row in rows]


def at_stripe(harness: Harness) -> None:
    """Let events be judged by Stripe's own SDK; nothing is asked over the network for that."""
    settings = StripeSettings(api_key=SecretStr("sk_test_1"), webhook_secret=SecretStr(SECRET))
    provider = StripePayments(settings)
    harness.payments.services = payment_services(
        harness.world.store, harness.world.clock, provider=provider, accepts_events=True
    )


def signature(body: bytes, ago_s: float = 0, secret: str = SECRET) -> dict[str, str]:
    """As docs.stripe.com/webhooks says."""
    at = int(time.time() - ago_s)
    told = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={told}"}


def stripes_event(order_id: str, **changes: Any) -> bytes:  # noqa: ANN401 - any JSON
    session = {"id": "cs_1", "object": "checkout.session", "client_reference_id": order_id, "payment_intent": "pi_1"}
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "api_version": "2026-10-28.endive",
        "created": 1772452800,
        "data": {"object": session},
    }
    return msgspec.json.encode(event | changes)


async def test_an_event_is_kept_once_and_handed_on_once_however_often_it_is_sent(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    event = harness.payment_provider.pay(session_of(order))
    for _ in range(3):
        answer = await hooked(harness, sent(event))
        assert (answer.status_code, answer.content) == (204, b"")
    assert kept(harness) == [(event.id, "received")]
    assert handed_on(harness) == [(order["id"], event.id)]
    assert harness.payment_provider.calls == {"open_checkout": 1}, "answered before anything is asked"
    assert (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()["state"] == "open"


async def test_an_event_that_changes_no_order_is_kept_and_not_handed_on(harness: Harness) -> None:
    _, mia = newcomer(harness)
    event = harness.payment_provider.pay(session_of(await ordered(harness, mia)))
    other = replace(event, id="evt_other", type="customer.created")
    assert (await hooked(harness, sent(other))).status_code == 204
    assert (kept(harness), handed_on(harness)) == ([("evt_other", "ignored")], [])


async def test_an_event_that_stripe_signed_is_taken(harness: Harness) -> None:
    at_stripe(harness)
    order_id = str(new_id())
    body = stripes_event(order_id)
    assert (await hooked(harness, body, signature(body))).status_code == 204
    assert handed_on(harness) == [(order_id, "evt_1")]


async def test_an_event_that_was_not_signed_with_our_secret_just_now_is_not_taken(harness: Harness) -> None:
    at_stripe(harness)
    body = stripes_event(str(new_id()))
    other = stripes_event(str(new_id()))
    good = signature(body)["Stripe-Signature"]
    tries = {
        "nothing": {},
        "an empty one": {"Stripe-Signature": ""},
        "nonsense": {"Stripe-Signature": "nonsense"},
        "no time": {"Stripe-Signature": good.partition(",")[2]},
        "no digest": {"Stripe-Signature": good.partition(",")[0]},
        "another scheme": {"Stripe-Signature": good.replace("v1=", "v0=")},
        "an empty digest": {"Stripe-Signature": good.partition("v1=")[0] + "v1="},
        "another secret": signature(body, secret="whsec_other"),  # noqa: S106 - of nobody
        "no secret": signature(body, secret=""),
        "another body": signature(other),
        "too old": signature(body, ago_s=330),
    }
    for what, headers in tries.items():
        answer = await hooked(harness, body, headers)
        assert answer.status_code == 400, what
        problem = assert_problem(answer, 400, "bad_signature")
        assert SECRET not in str(problem)
    assert kept(harness) == []
    assert (await hooked(harness, body, signature(body, ago_s=270))).status_code == 204


async def test_an_event_of_up_to_a_mebibyte_is_taken(harness: Harness) -> None:
    at_stripe(harness)
    for number, size in enumerate((66 * 1024, 1024 * 1024)):
        event = stripes_event(str(new_id()), id=f"evt_{number}", livemode="")
        body = event.replace(b'"livemode":""', b'"livemode":"' + b"x" * (size - len(event)) + b'"')
        assert len(body) == size
        assert (await hooked(harness, body, signature(body))).status_code == 204
    assert kept(harness) == [("evt_0", "received"), ("evt_1", "received")]


NO_EVENTS = (b"", b"{", b"null", b"[]", b'"evt"', b"1", b"{}", b"\xff\xfe", b'{"object": "event"}', b'{"id": "evt_1"}')


async def test_what_is_no_event_is_not_taken_even_when_it_is_signed(harness: Harness) -> None:
    at_stripe(harness)
    for body in NO_EVENTS:
        assert_problem(await hooked(harness, body, signature(body)), 400, "bad_signature")
        assert kept(harness) == []


UNREADABLE: tuple[dict[str, Any], ...] = (
    {"data": None},
    {"data": {}},
    {"data": []},
    {"created": "soon"},
    {"created": None},
    {"created": 10**20},
    {"created": -1},
    {"created": 1772452800.5},
    {"created": True},
    {"id": None},
    {"id": ""},
    {"id": 1},
    {"id": "evt_\x00"},
    {"id": "evt_ü"},
    {"id": "e" * 256},
    {"type": None},
    {"type": ""},
    {"type": "checkout.session.\ue000"},
    {"api_version": 1},
    {"data": {"object": None}},
    {"data": {"object": {"id": "x" * 256}}},
    {"data": {"object": {"id": "cs_ü"}}},
    {"data": {"object": {"id": ["cs_1"]}}},
    {"data": {"object": {"metadata": ["order_id"]}}},
    {"data": {"object": {"payment_intent": "p" * 256}}},
    {"data": {"object": {"payment_intent": {"id": 1}}}},
)
RAW: tuple[tuple[bytes, bytes], ...] = (
    (b'"object":"event"', b'"object":"event","deep":' + b"[" * 100_000 + b"]" * 100_000),
    (b'"object":"event"', b'"object":"event","deep":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    (
        b'"client_reference_id":',
        b'"metadata":' + b'{"a":' * 100_000 + b"{}" + b"}" * 100_000 + b',"client_reference_id":',
    ),
    (b'"checkout.session.completed"', b'"checkout.session.\\ud800"'),
    (b'"evt_1"', b'"evt_\\udfff"'),
    (b'"pi_1"', b'"\\ud800"'),
    (b'"evt_1"', b"NaN"),
    (b"1772452800", b"1" + b"0" * 5000),
)


async def test_an_event_that_cannot_be_read_is_not_taken(harness: Harness) -> None:
    at_stripe(harness)
    for change in UNREADABLE:
        body = stripes_event(str(new_id()), **change)
        assert_problem(await hooked(harness, body, signature(body)), 400, "bad_signature")
        assert kept(harness) == []


async def test_a_signed_event_whose_text_is_deep_or_broken_is_not_taken(harness: Harness) -> None:
    at_stripe(harness)
    for old, new in RAW:
        event = stripes_event(str(new_id()))
        body = event.replace(old, new)
        assert body != event
        assert_problem(await hooked(harness, body, signature(body)), 400, "bad_signature")
        assert kept(harness) == []


async def test_an_event_about_anything_else_is_kept(harness: Harness) -> None:
    at_stripe(harness)
    for number, about in enumerate(({}, {"object": "balance", "metadata": {}}, {"metadata": {"order_id": 1}})):
        body = stripes_event("", id=f"evt_{number}", type="balance.available", data={"object": about})
        assert (await hooked(harness, body, signature(body))).status_code == 204, about
    assert [state for _, state in kept(harness)] == ["ignored"] * 3


async def test_a_body_without_end_or_of_another_type_is_not_read(harness: Harness) -> None:
    assert_problem(await hooked(harness, b"x" * (1024 * 1024 + 1)), 413, "body_too_large")
    assert_problem(await harness.client.post("/checkouts", content=b"x" * 5000, headers=JSON), 413, "body_too_large")
    form = await hooked(harness, b"id=evt_1", SIGNED | {"Content-Type": "application/x-www-form-urlencoded"})
    assert_problem(form, 415, "unsupported_media_type")
    assert kept(harness) == []


async def test_without_a_key_or_a_secret_no_event_is_taken_signed_or_not(harness: Harness) -> None:
    _, mia = newcomer(harness)
    event = harness.payment_provider.pay(session_of(await ordered(harness, mia)))
    world, provider = harness.world, harness.payment_provider
    for services in (
        payment_services(world.store, world.clock, provider=provider, accepts_events=False),
        payment_services(world.store, world.clock, provider=None, accepts_events=True),
        payment_services(world.store, world.clock),
    ):
        harness.payments.services = services
        for headers in (SIGNED, {}):
            answer = await hooked(harness, sent(event), headers)
            assert "WEBHOOK_SECRET" in assert_problem(answer, 503, "payments_disabled")["detail"]
            assert answer.headers["retry-after"] == "300"
    assert kept(harness) == []


async def returned(harness: Harness, order: object, session_id: str) -> httpx.Response:
    """The success page, as a browser without a token gets it."""
    params = {"order": str(order), "session_id": session_id}
    answer = await harness.client.get("/checkouts/success", params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    return answer


async def test_who_has_paid_is_in_before_the_webhook_is_here(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, mia = newcomer(harness)
    order = await ordered(harness, mia)
    harness.payment_provider.pay(session_of(order))
    page = await returned(harness, order["id"], session_of(order))
    assert "Payment received" in page.text
    assert "31 March 2026" in page.text
    assert (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()["state"] == "paid"
    assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    assert kept(harness) == []
    assert (await returned(harness, order["id"], session_of(order))).text == page.text


async def test_the_page_after_paying_names_nobody(harness: Harness) -> None:
    member, mia = newcomer(harness)
    order = await ordered(harness, mia)
    harness.payment_provider.pay(session_of(order))
    for page in (
        await returned(harness, order["id"], session_of(order)),
        await harness.client.get("/checkouts/cancelled"),
    ):
        for said in ("Mia", "Moll", "mia@", "@example.org", "Cologne", str(member), order["id"], session_of(order)):
            assert said not in page.text


async def test_the_page_of_an_order_is_shown_to_whoever_has_its_session_only(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order, other = await ordered(harness, mia), await ordered(harness, mia, cancel_url=f"{PUBLIC_URL}/other")
    session = session_of(order)
    harness.payment_provider.pay(session)
    for order_id, session_id in ((order["id"], session_of(other)), (order["id"], session[:-1]), (new_id(), session)):
        page = await returned(harness, order_id, session_id)
        assert "Order not found" in page.text
    assert harness.payment_provider.calls["checkout"] == 0
    assert (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()["state"] == "open"


NOT_WHOLE = (
    ({"session_id": "cs_1"}, "order"),
    ({"order": "7", "session_id": "cs_1"}, "order"),
    ({"order": str(new_id())}, "session_id"),
    ({"order": str(new_id()), "session_id": ""}, "session_id"),
    ({"order": str(new_id()), "session_id": "x" * 256}, "session_id"),
    ({"order": str(new_id()), "session_id": "cs 1"}, "session_id"),
    ({"order": str(new_id()), "session_id": "cs\n"}, "session_id"),
)


async def test_an_address_that_is_not_whole_is_refused(harness: Harness) -> None:
    for asked, field in NOT_WHOLE:
        answer = await harness.client.get("/checkouts/success", params=asked)
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == [field]


async def test_returning_from_the_checkout_while_the_provider_is_unavailable_shows_no_error(harness: Harness) -> None:
    by_handle(harness)
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    harness.payment_provider.pay(session_of(order))
    harness.payment_provider.away = lambda _call: True
    page = await returned(harness, order["id"], session_of(order))
    assert "One moment" in page.text
    assert 'http-equiv="refresh"' in page.text
    harness.payment_provider.away = lambda _call: False
    assert "Payment received" in (await returned(harness, order["id"], session_of(order))).text


async def test_who_comes_back_before_the_payment_is_there_sees_where_it_is(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    assert "One moment" in (await returned(harness, order["id"], session_of(order))).text
    harness.payment_provider.pay(session_of(order), later=True)
    assert "Payment in progress" in (await returned(harness, order["id"], session_of(order))).text
    harness.payment_provider.finish(session_of(order), succeeds=False)
    assert "Payment failed" in (await returned(harness, order["id"], session_of(order))).text


async def test_who_turns_back_has_paid_nothing(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    page = await harness.client.get("/checkouts/cancelled", params={"order": order["id"]})
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == PAGE_POLICY
    assert "Checkout cancelled" in page.text
    now = (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()
    assert (now["state"], now["url"]) == ("open", order["url"]), "it can still be paid"


async def test_a_reconciliation_makes_up_for_what_was_missed_and_says_so(harness: Harness) -> None:
    _, mia = newcomer(harness)
    refunded, order = await bought(harness, mia), await ordered(harness, mia)
    harness.payment_provider.pay(session_of(order))
    (session,) = {page.session_id for page in harness.payment_provider.pages.values()} - {session_of(order)}
    harness.payment_provider.give_back(session, 1000)
    days_pass(harness, 0.1)
    admin = harness.bearer(Role.ADMIN)
    done = await harness.client.post("/payments/reconcile", headers=admin)
    assert done.json() == {
        "events_missed": 3,
        "orders_checked": 0,
        "mended": done.json()["mended"],
        "refunds_asked": 0,
        "unknown": [],
        "problems": {},
        "failures": 0,
    }
    assert sorted(done.json()["mended"]) == sorted([order["id"], refunded["id"]])
    now = [(await harness.client.get(f"/orders/{one['id']}", headers=mia)).json()["state"] for one in (order, refunded)]
    assert now == ["paid", "refunded"]
    again = await harness.client.post("/payments/reconcile", headers=admin)
    assert (again.json()["events_missed"], again.json()["mended"]) == (0, [])


async def test_a_reconciliation_is_for_admins_and_needs_the_provider(harness: Harness) -> None:
    by_handle(harness)
    for headers in (harness.bearer(Role.USER), harness.bearer(Role.STAFF)):
        assert_problem(await harness.client.post("/payments/reconcile", headers=headers), 403, "forbidden")
    admin = harness.bearer(Role.ADMIN)
    harness.payment_provider.away = lambda _call: True
    assert_problem(await harness.client.post("/payments/reconcile", headers=admin), 503, "unavailable")
    without_provider(harness)
    assert_problem(await harness.client.post("/payments/reconcile", headers=admin), 503, "payments_disabled")
