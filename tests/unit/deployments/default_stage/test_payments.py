"""Each payment call of the existing web client, row by row as its contract says."""

import json
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from domain.identity.model import Role
from domain.identity.tables import users
from domain.memberships.tables import plans
from domain.outbox import outbox
from domain.payments.tables import orders, stripe_events
from integrations.kafka.messages import decode_payment_event
from tests.payment_provider import sent
from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.harness import OTHER_ORIGIN, PUBLIC_URL, assert_problem

pytestmark = pytest.mark.anyio

CREATE = "/api/payments/create-checkout-session"
WISH = {"amount": 2500, "currency": "eur", "successUrl": f"{OTHER_ORIGIN}/ok", "cancelUrl": f"{OTHER_ORIGIN}/no"}


@pytest.fixture
def mia(stage: Stage) -> UUID:
    """Somebody who has bought nothing, where 25.00 EUR is the price of a plan."""
    with stage.harness.world.store.writing() as connection:
        connection.execute(plans.update().values(name="90 days", days=90, price_amount=2500))
    return stage.harness.world.newcomer()


def of(stage: Stage, member: UUID) -> dict[str, str]:
    return {"Authorization": f"Bearer {stage.tokens.give(Role.USER, user_id=member)}"}


async def asked(stage: Stage, member: UUID, **changes: Any) -> httpx.Response:  # noqa: ANN401 - any JSON
    return await stage.client.post(CREATE, json=WISH | changes, headers=of(stage, member))


def ordered(stage: Stage) -> list[tuple[int, str]]:
    with stage.harness.world.store.reading() as connection:
        return [(row.amount, row.currency) for row in connection.execute(select(orders))]


@pytest.mark.parametrize("amount", ["2500", "2500.0", '"2500"', '"2500.0"', "2.5e3"])
async def test_an_amount_that_is_a_plan_s_price_opens_its_page(stage: Stage, mia: UUID, amount: str) -> None:
    body = json.dumps(WISH).replace("2500", amount, 1)
    headers = of(stage, mia) | {"Content-Type": "application/json"}
    answer = await stage.client.post(CREATE, content=body, headers=headers)
    (page,) = stage.harness.payment_provider.pages.values()
    assert (answer.status_code, answer.json()) == (200, {"url": page.url})
    assert (page.price.amount, page.price.currency) == (2500, "EUR")
    with stage.harness.world.store.reading() as connection:
        order = connection.execute(select(orders)).one()
    assert (order.member_id, order.plan_id, order.days) == (mia, stage.harness.world.plan, 90)
    assert (order.success_url, order.cancel_url) == (WISH["successUrl"], WISH["cancelUrl"])


async def test_an_amount_that_is_no_plan_s_price_opens_nothing(stage: Stage, mia: UUID) -> None:
    for amount in (1, 2499, 2501, 2500.5, "2500.01", 25, 0, -2500, 1e15, 10**30, "1e999999"):
        assert_problem(await asked(stage, mia, amount=amount), 400, "no_such_price")
    for currency in ("usd", "JPY", "euro", "e", "", "€€€", "eur "):
        assert_problem(await asked(stage, mia, currency=currency), 400, "no_such_price")
    assert ordered(stage) == []
    assert not stage.harness.payment_provider.calls


async def test_what_is_no_amount_is_named_by_its_field(stage: Stage, mia: UUID) -> None:
    headers = of(stage, mia) | {"Content-Type": "application/json"}
    for amount in ("NaN", '"NaN"', "Infinity", "-Infinity", '"Infinity"', "1e999", "null", '"much"', "[2500]", '""'):
        body = json.dumps(WISH).replace("2500", amount, 1)
        answer = await stage.client.post(CREATE, content=body, headers=headers)
        assert answer.status_code in {400, 422}, (amount, answer.text)
    for field in WISH:
        body = json.dumps({name: value for name, value in WISH.items() if name != field})
        answer = await stage.client.post(CREATE, content=body, headers=headers)
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == [field]
    assert ordered(stage) == []


async def test_a_retired_plan_s_price_is_nobody_s_any_more(stage: Stage, mia: UUID) -> None:
    with stage.harness.world.store.writing() as connection:
        connection.execute(plans.update().values(retired_at=stage.harness.world.clock()))
    assert_problem(await asked(stage, mia), 400, "no_such_price")


@pytest.mark.parametrize("field", ["successUrl", "cancelUrl"])
async def test_a_page_of_somebody_else_is_led_to_by_nobody(stage: Stage, mia: UUID, field: str) -> None:
    for address in (
        *(
            "https://app.gym.test/ok",
            "http://app.gym.test:81/ok",
            "http://app.gym.test@evil.test/",
            "//app.gym.test/ok",
        ),
        *("http://app.gym.test\\@evil.test/", "http://app.gym.test.evil.test/", "javascript:alert(1)", "", " "),
    ):
        problem = assert_problem(await asked(stage, mia, **{field: address}), 400, "malformed_request")
        assert [one["field"] for one in problem["fields"]] == [field]
    assert ordered(stage) == []
    assert (await asked(stage, mia, **{field: f"{PUBLIC_URL}/ok"})).status_code == 200


async def test_without_a_provider_nothing_is_opened(stage: Stage, mia: UUID) -> None:
    stage.harness.payments.services.orders._provider = None  # noqa: SLF001 - as where nobody has set a key
    assert_problem(await asked(stage, mia), 503, "payments_disabled")


async def test_a_checkout_is_for_whoever_is_signed_in(stage: Stage) -> None:
    assert_problem(await stage.client.post(CREATE, json=WISH), 401, "unauthenticated")
    answer = await stage.client.get("/api/payments/user/subscriptiondate")
    assert_problem(answer, 401, "unauthenticated")


async def dated(stage: Stage, member: UUID) -> str:
    answer = await stage.client.get("/api/payments/user/subscriptiondate", headers=of(stage, member))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


async def test_the_date_is_empty_until_something_is_paid_and_then_the_end(stage: Stage, mia: UUID) -> None:
    other = stage.harness.world.newcomer()
    assert await dated(stage, mia) == ""
    stage.harness.gym_with_gate()
    assert (await asked(stage, mia)).status_code == 200
    assert await dated(stage, mia) == "", "nothing is paid"
    (session,) = stage.harness.payment_provider.pages
    stage.harness.payment_provider.pay(session)
    stage.harness.payments.services.orders.settle_member(mia)
    assert await dated(stage, mia) == "2026-05-31"
    assert await dated(stage, other) == ""
    stage.harness.world.clock.forward(200 * 86_400)
    assert await dated(stage, mia) == "", "that client takes any date for a membership that is good"


async def test_the_date_is_empty_for_whoever_the_door_refuses(stage: Stage) -> None:
    frozen, banned, in_grace = (stage.harness.world.member(days) for days in (30, 30, -1))
    stage.harness.gym_with_gate()
    assert [await dated(stage, one) for one in (frozen, banned, in_grace)] == ["2026-04-01", "2026-04-01", "2026-03-01"]
    stage.harness.world.change_membership(frozen, frozen_from=stage.harness.world.clock())
    with stage.harness.world.store.writing() as connection:
        connection.execute(users.update().where(users.c.id == banned).values(banned_at=stage.harness.world.clock()))
    assert [await dated(stage, one) for one in (frozen, banned, in_grace)] == ["", "", "2026-03-01"]


async def hooked(stage: Stage, body: bytes, **headers: str) -> httpx.Response:
    told = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await stage.client.post("/api/payments/webhooks", content=body, headers=told)


async def test_an_event_of_66_kilobytes_is_taken_and_one_past_a_mebibyte_is_not(stage: Stage, mia: UUID) -> None:
    await asked(stage, mia)
    (session,) = stage.harness.payment_provider.pages
    event = sent(stage.harness.payment_provider.pay(session))
    assert (await hooked(stage, event.ljust(66 * 1024), Stripe_Signature="signed")).status_code == 204
    answer = await hooked(stage, event.ljust(1024 * 1024 + 1), Stripe_Signature="signed")
    assert_problem(answer, 413, "body_too_large")


async def test_an_event_is_kept_once_and_handed_on_once(stage: Stage, mia: UUID) -> None:
    await asked(stage, mia)
    (session,) = stage.harness.payment_provider.pages
    event = stage.harness.payment_provider.pay(session)
    for _ in range(2):
        answer = await hooked(stage, sent(event), Stripe_Signature="signed")
        assert (answer.status_code, answer.content) == (204, b"")
    with stage.harness.world.store.reading() as connection:
        assert connection.execute(select(stripe_events.c.id)).scalars().all() == [event.id]
    (told,) = waiting(stage)
    assert told == event.id


def waiting(stage: Stage) -> list[str]:
    with stage.harness.world.store.reading() as connection:
        payloads = connection.execute(select(outbox.c.payload)).scalars().all()
    return [decode_payment_event(payload.encode()).event_id for payload in payloads]


async def test_an_event_that_is_not_signed_is_refused(stage: Stage, mia: UUID) -> None:
    await asked(stage, mia)
    (session,) = stage.harness.payment_provider.pages
    body = sent(stage.harness.payment_provider.pay(session))
    for headers in ({}, {"Stripe_Signature": ""}, {"Stripe_Signature": "forged"}):
        assert_problem(await hooked(stage, body, **headers), 400, "bad_signature")
    with stage.harness.world.store.reading() as connection:
        assert connection.execute(select(stripe_events.c.id)).all() == []
