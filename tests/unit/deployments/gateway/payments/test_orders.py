"""Orders over the interface: bought, looked up, given back, paid at the desk."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from domain.payments.tables import orders
from tests.unit.deployments.gateway.purchases import (
    EUR_10,
    bought,
    by_handle,
    checked,
    checkout,
    days_pass,
    newcomer,
    ordered,
    session_of,
    sold_at_desk,
    without_provider,
)
from tests.unit.deployments.harness import OTHER_ORIGIN, PUBLIC_URL, Harness, assert_problem

pytestmark = pytest.mark.anyio


def number_of_orders(harness: Harness) -> int:
    with harness.world.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(orders)).scalar_one()


def addresses(harness: Harness) -> tuple[str | None, str | None]:
    """Where the only checkout leads to."""
    with harness.world.store.reading() as connection:
        row = connection.execute(select(orders.c.success_url, orders.c.cancel_url)).one()
    return row.success_url, row.cancel_url


async def test_a_checkout_is_an_order_at_the_plan_s_price_and_the_page_where_it_is_paid(harness: Harness) -> None:
    member, mia = newcomer(harness)
    answer = await checkout(harness, mia)
    assert answer.status_code == 201
    order = answer.json()
    (page,) = harness.payment_provider.pages.values()
    assert answer.headers["location"] == f"/api/orders/{order['id']}"
    assert order == {
        "id": str(page.order_id),
        "member_id": str(member),
        "plan_id": str(harness.world.plan),
        "plan_name": "30 days",
        "days": 30,
        "price": EUR_10,
        "refunded": {"amount": 0, "currency": "EUR"},
        "method": "stripe",
        "state": "open",
        "url": page.url,
        "expires_at": "2026-03-03T11:00:00Z",
        "created_at": "2026-03-02T12:00:00Z",
        "paid_at": None,
        "by_id": None,
        "problem": None,
    }
    read = await harness.client.get(f"/orders/{order['id']}", headers=mia)
    assert read.json() == order | {"invoices": [], "refunds": []}
    assert addresses(harness) == (
        f"{PUBLIC_URL}/api/checkouts/success?order={order['id']}&session_id={{CHECKOUT_SESSION_ID}}",
        f"{PUBLIC_URL}/api/checkouts/cancelled?order={order['id']}",
    )


async def test_an_amount_that_a_client_names_is_worth_nothing(harness: Harness) -> None:
    _, mia = newcomer(harness)
    answer = await checkout(harness, mia, amount=1, price={"amount": 1, "currency": "EUR"}, currency="JPY", days=3650)
    assert (answer.json()["price"], answer.json()["days"]) == (EUR_10, 30)
    assert [page.price.amount for page in harness.payment_provider.pages.values()] == [1000]


async def test_what_is_not_sold_is_not_ordered(harness: Harness) -> None:
    _, mia = newcomer(harness)
    assert_problem(await checkout(harness, mia, new_id()), 404, "unknown_plan")
    await harness.client.delete(f"/plans/{harness.world.plan}", headers=harness.bearer(Role.ADMIN) | {"If-Match": "*"})
    assert_problem(await checkout(harness, mia), 404, "unknown_plan")
    wrong = await harness.client.post("/checkouts", json={"plan_id": "30 days"}, headers=mia)
    assert [one["field"] for one in assert_problem(wrong, 422, "invalid_request")["fields"]] == ["plan_id"]
    assert number_of_orders(harness) == 0
    assert harness.payment_provider.calls["open_checkout"] == 0


async def test_who_is_not_there_or_leaves_orders_nothing(harness: Harness) -> None:
    member, mia = newcomer(harness)
    with harness.world.store.writing() as connection:
        connection.execute(users.update().where(users.c.id == member).values(deleted_at=harness.world.clock()))
    gone = await harness.client.post("/desk-payments", json=_sale(harness, member), headers=harness.bearer(Role.STAFF))
    assert_problem(gone, 404, "unknown_user")
    assert (await checkout(harness, mia)).status_code in {401, 403, 404}
    assert number_of_orders(harness) == 0


def _sale(harness: Harness, member: UUID) -> dict[str, str]:
    return {"member_id": str(member), "plan_id": str(harness.world.plan), "method": "cash"}


@pytest.mark.parametrize(
    "address",
    [
        f"{PUBLIC_URL}/paid?order={{ORDER_ID}}&session={{CHECKOUT_SESSION_ID}}",
        PUBLIC_URL,
        f"{PUBLIC_URL}?from=shop",
        f"{OTHER_ORIGIN}/paid",
        f"{PUBLIC_URL}/@evil.test",
    ],
)
async def test_a_checkout_leads_to_pages_of_ours_and_of_allowed_origins(harness: Harness, address: str) -> None:
    _, mia = newcomer(harness)
    answer = await checkout(harness, mia, success_url=address, cancel_url=address)
    assert answer.status_code == 201, answer.text
    led = address.replace("{ORDER_ID}", answer.json()["id"])
    assert addresses(harness) == (led, led)


@pytest.mark.parametrize(
    ("written", "led"),
    [
        ("HTTP://GYM.Test:80/Paid?a=B", "http://gym.test/Paid?a=B"),
        ("http://gym.test./paid", "http://gym.test/paid"),
        ("http://gym.test:/paid", "http://gym.test/paid"),
        ("http://\uff47ym\u3002test/paid", "http://gym.test/paid"),
        ("http://gym.test/f\u00e9lag?n=\u00e6", "http://gym.test/f%C3%A9lag?n=%C3%A6"),
        ("http://gym.test/a%2Fb/../c?", "http://gym.test/a%2Fb/../c?"),
    ],
)
async def test_a_checkout_leads_to_the_address_that_was_checked_not_to_the_text_that_was_sent(
    harness: Harness, written: str, led: str
) -> None:
    _, mia = newcomer(harness)
    answer = await checkout(harness, mia, success_url=written, cancel_url=written)
    assert answer.status_code == 201, answer.text
    assert addresses(harness) == (led, led)


FOREIGN = (
    "",
    "/paid",
    "//gym.test/paid",
    "//evil.test/paid",
    "http:gym.test/paid",
    "http:/gym.test/paid",
    "http:///gym.test/paid",
    "https://gym.test/paid",
    "http://gym.test:8080/paid",
    "http://gym.test/paid#top",
    "http://gym.test/paid#",
    "http://@gym.test/paid",
    "http://gym.test:0/paid",
    "http://gym.test:443/paid",
    "http://gym.test../paid",
    "http://gym%2etest/paid",
    "http://gym.test;evil.test/paid",
    "\x00http://gym.test/paid",
    "http://gym.test/pa\u00a0id",
    "http://gym.test/pa\u202eid",
    "http://gym.test:x/paid",
    "http://gym.test.evil.test/paid",
    "http://gym.testevil.test/paid",
    "http://evil.test/http://gym.test/",
    "http://evil.test?http://gym.test/",
    "http://evil.test#http://gym.test/",
    "http://gym.test@evil.test/paid",
    "http://gym.test:80@evil.test/paid",
    "http://mia@gym.test/paid",
    "http://gym.test\\@evil.test/paid",
    "http://evil.test\\@gym.test/paid",
    "http://evil.test\\.gym.test/paid",
    "http:\\\\gym.test\\paid",
    "http://gym.test\t.evil.test/paid",
    "http://gym.test/pa\nid",
    "http://gym.test/paid\r\nLocation: http://evil.test",
    " http://gym.test/paid",
    "http://gym.test/paid ",
    "http://gym.test /paid",
    "http://gym.test\u3002evil.test/paid",
    "http://gym.test\uff0f@evil.test/paid",
    "http://gym.test\u200b/paid",
    "http://[gym.test/paid",
    "http://sub.gym.test/paid",
    "javascript:alert(1)",
    "javascript://gym.test/%0aalert(1)",
    "data:text/html,paid",
    "file://gym.test/paid",
    "null",
    "*",
)


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
async def test_a_checkout_leads_nowhere_else(harness: Harness, field: str) -> None:
    _, mia = newcomer(harness)
    for address in FOREIGN:
        answer = await checkout(harness, mia, None, **{field: address})
        assert answer.status_code == 422, address
        assert [one["field"] for one in assert_problem(answer, 422, "foreign_url")["fields"]] == [field]
    assert number_of_orders(harness) == 0


async def test_an_address_that_is_endless_is_refused(harness: Harness) -> None:
    _, mia = newcomer(harness)
    answer = await checkout(harness, mia, success_url=f"{PUBLIC_URL}/{'a' * 1000}")
    assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == ["success_url"]


async def test_a_checkout_that_is_sent_again_is_the_same_order(harness: Harness) -> None:
    _, mia = newcomer(harness)
    keyed = mia | {"Idempotency-Key": "once"}
    first, again = await checkout(harness, keyed), await checkout(harness, keyed)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert number_of_orders(harness) == len(harness.payment_provider.pages) == 1


async def test_an_unavailable_provider_is_503_and_the_same_call_works_later(harness: Harness) -> None:
    by_handle(harness)
    _, mia = newcomer(harness)
    harness.payment_provider.away = lambda _call: True
    problem = await checkout(harness, mia | {"Idempotency-Key": "once"})
    assert "payment provider" in assert_problem(problem, 503, "unavailable")["detail"]
    assert int(problem.headers["retry-after"]) >= 1
    harness.payment_provider.away = lambda _call: False
    assert (await checkout(harness, mia | {"Idempotency-Key": "once"})).status_code == 201
    order = await ordered(harness, mia)
    harness.payment_provider.pay(session_of(order))
    harness.payment_provider.away = lambda _call: True
    assert_problem(await harness.client.post(f"/orders/{order['id']}/check", headers=mia), 503, "unavailable")
    harness.payment_provider.away = lambda _call: False
    assert (await checked(harness, mia, order))["state"] == "paid"


async def test_without_a_provider_only_the_desk_sells(harness: Harness) -> None:
    without_provider(harness)
    member, mia = newcomer(harness)
    refused = await checkout(harness, mia)
    assert "desk" in assert_problem(refused, 503, "payments_disabled")["detail"]
    assert refused.headers["retry-after"] == "300"
    sold = await sold_at_desk(harness, harness.bearer(Role.STAFF), member)
    assert sold.status_code == 201
    check = await harness.client.post(f"/orders/{sold.json()['id']}/check", headers=mia)
    assert_problem(check, 503, "payments_disabled")
    refund = await refunded(harness, sold.json()["id"], amount=400)
    assert refund.json()["refunded"]["amount"] == 400, "money of the desk needs no provider"


async def test_what_the_provider_gave_cannot_be_given_back_without_it(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    without_provider(harness)
    assert_problem(await refunded(harness, order["id"]), 503, "payments_disabled")


async def test_an_order_that_the_provider_refuses_has_failed_and_says_why(harness: Harness) -> None:
    _, mia = newcomer(harness)
    harness.payment_provider.refuses = True
    assert "no such account" in assert_problem(await checkout(harness, mia), 502, "payment_refused")["detail"]
    (order,) = (await harness.client.get("/me/orders", headers=mia)).json()["items"]
    assert (order["state"], order["url"], order["problem"]) == ("failed", None, "no such account")


async def test_an_order_is_its_member_s_and_the_staff_s(harness: Harness) -> None:
    _, mia = newcomer(harness)
    _, eve = newcomer(harness)
    order = await ordered(harness, mia)
    url = f"/orders/{order['id']}"
    own = await harness.client.get(url, headers=mia)
    for role in (Role.STAFF, Role.ADMIN):
        assert (await harness.client.get(url, headers=harness.bearer(role))).json() == own.json()
    unknown = await harness.client.get(f"/orders/{new_id()}", headers=eve)
    for answer in (
        await harness.client.get(url, headers=eve),
        await harness.client.post(f"{url}/check", headers=eve),
    ):
        others = assert_problem(answer, 404, "unknown_order")
        assert others["detail"] == assert_problem(unknown, 404, "unknown_order")["detail"], "nothing tells it apart"
    assert harness.payment_provider.calls["checkout"] == 0, "nobody else's wish asks the provider"


async def test_a_check_brings_a_paid_order_up_to_date_and_once_more_changes_nothing(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    assert (await checked(harness, mia, order))["state"] == "open"
    harness.payment_provider.pay(session_of(order))
    paid = await checked(harness, mia, order)
    assert (paid["state"], paid["url"], paid["expires_at"]) == ("paid", None, None)
    assert paid["paid_at"] == "2026-03-02T12:00:00Z"
    (invoice,) = paid["invoices"]
    assert invoice == {
        "id": invoice["id"],
        "number": "000001",
        "kind": "invoice",
        "pdf": f"/api/invoices/{invoice['id']}.pdf",
    }
    assert await checked(harness, harness.bearer(Role.STAFF), order) == paid


async def test_an_order_at_a_page_that_is_over_has_expired(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    harness.payment_provider.expire(session_of(order))
    over = await checked(harness, mia, order)
    assert (over["state"], over["url"], over["invoices"]) == ("expired", None, [])


async def refunded(harness: Harness, order: str, **wanted: object) -> Any:  # noqa: ANN401 - an answer, by whoever
    headers: Any = wanted.pop("headers", harness.bearer(Role.ADMIN))
    body = {"reason": "moved away"} | wanted
    return await harness.client.post(f"/orders/{order}/refunds", json=body, headers=headers)


async def test_a_part_is_given_back_and_then_what_is_left(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    admin = new_id()
    by_admin = harness.bearer(Role.ADMIN, user_id=admin)
    part = (await refunded(harness, order["id"], amount=400, headers=by_admin)).json()
    assert (part["state"], part["refunded"]) == ("paid", {"amount": 400, "currency": "EUR"})
    assert [(one["kind"], one["number"]) for one in part["invoices"]] == [
        ("invoice", "000001"),
        ("credit_note", "000002"),
    ]
    (refund,) = part["refunds"]
    assert refund == {
        "id": refund["id"],
        "amount": 400,
        "state": "succeeded",
        "days": 12,
        "reason": "moved away",
        "by_id": str(admin),
        "created_at": "2026-03-02T12:00:00Z",
    }
    large = assert_problem(await refunded(harness, order["id"], amount=601), 409, "refund_too_large")
    assert "600" in large["detail"]
    whole = (await refunded(harness, order["id"])).json()
    assert (whole["state"], [one["amount"] for one in whole["refunds"]]) == ("refunded", [400, 600])
    assert_problem(await refunded(harness, order["id"]), 409, "refund_too_large")


async def test_a_refund_that_is_sent_again_gives_back_once(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    admin = harness.bearer(Role.ADMIN) | {"Idempotency-Key": "once"}
    first, again = [await refunded(harness, order["id"], amount=400, headers=admin) for _ in range(2)]
    assert first.json() == again.json()
    assert harness.payment_provider.calls["refund"] == 1


async def test_a_refund_requested_while_the_provider_is_unavailable_is_stored_and_made_once(harness: Harness) -> None:
    by_handle(harness)
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    harness.payment_provider.away = lambda _call: True
    kept = await refunded(harness, order["id"], amount=400)
    assert kept.status_code == 200, kept.text
    assert (kept.json()["state"], kept.json()["refunded"]["amount"]) == ("paid", 0)
    assert [(one["state"], one["amount"]) for one in kept.json()["refunds"]] == [("asked", 400)]
    assert_problem(await refunded(harness, order["id"], amount=601), 409, "refund_too_large")
    harness.payment_provider.away = lambda _call: False
    days_pass(harness, 0.01)
    reconciled = await harness.client.post("/payments/reconcile", headers=harness.bearer(Role.ADMIN))
    assert reconciled.json()["refunds_asked"] == 1
    done = (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()
    assert [(one["state"], one["amount"]) for one in done["refunds"]] == [("succeeded", 400)]
    assert done["refunded"]["amount"] == 400
    assert harness.payment_provider.calls["refund"] == 2, "asked in vain, and again"


async def test_a_refund_that_the_provider_refuses_changes_nothing(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    harness.payment_provider.refuses = True
    refused = assert_problem(await refunded(harness, order["id"]), 502, "payment_refused")
    assert "has been refunded" in refused["detail"]
    now = (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()
    assert (now["state"], now["refunded"]["amount"], [one["state"] for one in now["refunds"]]) == (
        *("paid", 0),
        ["failed"],
    )


async def test_only_money_that_is_there_is_given_back_and_only_by_admins(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await ordered(harness, mia)
    assert_problem(await refunded(harness, order["id"]), 409, "order_not_paid")
    assert_problem(await refunded(harness, str(new_id())), 404, "unknown_order")
    for headers in (mia, harness.bearer(Role.STAFF)):
        assert_problem(await refunded(harness, order["id"], headers=headers), 403, "forbidden")
    harness.payment_provider.pay(session_of(order))
    harness.payment_provider.dispute(session_of(order))
    assert (await checked(harness, mia, order))["state"] == "disputed"
    assert_problem(await refunded(harness, order["id"]), 409, "order_disputed")


async def test_a_refund_that_cannot_be_is_named_by_its_field(harness: Harness) -> None:
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    wrong: dict[str, list[object]] = {"amount": [0, -400, 4.5, 1_000_000_000_000], "reason": [" ", None, "x" * 201]}
    for field, values in wrong.items():
        for value in values:
            answer = await refunded(harness, order["id"], **{field: value})
            assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == [field]
    assert harness.payment_provider.calls["refund"] == 0


async def test_a_sale_at_the_desk_is_an_order_that_is_paid_with_its_receipt(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff = new_id()
    answer = await sold_at_desk(
        harness, harness.bearer(Role.STAFF, user_id=staff), member, "card_terminal", buyer_name="Firm"
    )
    assert answer.status_code == 201
    order = answer.json()
    assert answer.headers["location"] == f"/api/orders/{order['id']}"
    assert (order["method"], order["state"], order["by_id"], order["url"]) == (
        *("card_terminal", "paid", str(staff)),
        None,
    )
    assert [one["kind"] for one in order["invoices"]] == ["invoice"]
    assert (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json() == order
    page = await harness.client.get(f"/invoices/{order['invoices'][0]['id']}.html", headers=mia)
    assert "Firm" in page.text
    assert not harness.payment_provider.calls
    assert not harness.payment_provider.pages


async def test_a_sale_at_the_desk_that_is_sent_again_is_one(harness: Harness) -> None:
    member, _ = newcomer(harness)
    staff = harness.bearer(Role.STAFF) | {"Idempotency-Key": "once"}
    first, again = [await sold_at_desk(harness, staff, member) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert number_of_orders(harness) == 1


async def test_the_desk_sells_what_is_sold_to_whom_there_is_and_by_staff_alone(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff = harness.bearer(Role.STAFF)
    assert_problem(await sold_at_desk(harness, mia, member), 403, "forbidden")
    assert_problem(await sold_at_desk(harness, staff, new_id()), 404, "unknown_user")
    assert_problem(await sold_at_desk(harness, staff, member, plan_id=str(new_id())), 404, "unknown_plan")
    for change in ({"method": "stripe"}, {"method": "gold"}, {"buyer_name": "x" * 201}, {"buyer_address": "x" * 501}):
        answer = await sold_at_desk(harness, staff, member, **change)
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == list(change)
    assert number_of_orders(harness) == 0


async def test_a_mistake_at_the_desk_is_reversed_the_same_day_and_once(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff = harness.bearer(Role.STAFF)
    order = (await sold_at_desk(harness, staff, member)).json()
    url = f"/orders/{order['id']}/reverse"
    assert_problem(await harness.client.post(url, json={"reason": "typo"}, headers=mia), 403, "forbidden")
    first, again = [await harness.client.post(url, json={"reason": "typo"}, headers=staff) for _ in range(2)]
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["refunded"]["amount"]) == ("reversed", 1000)
    assert [one["kind"] for one in first.json()["invoices"]] == ["invoice", "credit_note"]
    assert_problem(await refunded(harness, order["id"]), 409, "order_not_paid")


async def test_what_is_of_another_day_or_of_the_provider_is_not_reversed(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff = harness.bearer(Role.STAFF)
    desk, card = (await sold_at_desk(harness, staff, member)).json(), await bought(harness, mia)
    days_pass(harness, 1)
    for order in (desk, card):
        answer = await harness.client.post(f"/orders/{order['id']}/reverse", json={"reason": "late"}, headers=staff)
        assert_problem(answer, 409, "not_reversible")
    missing = await harness.client.post(f"/orders/{new_id()}/reverse", json={"reason": "late"}, headers=staff)
    assert_problem(missing, 404, "unknown_order")
    given_back = (await refunded(harness, desk["id"], amount=100)).json()
    assert [(one["state"], one["amount"]) for one in given_back["refunds"]] == [("succeeded", 100)]
    assert harness.payment_provider.calls["refund"] == 0, "out of the till"


async def test_the_day_s_report_is_by_who_took_it_and_how(harness: Harness) -> None:
    member, _ = newcomer(harness)
    ben, cleo = new_id(), new_id()
    by_ben, by_cleo = (harness.bearer(Role.STAFF, user_id=one) for one in (ben, cleo))
    await sold_at_desk(harness, by_ben, member)
    await sold_at_desk(harness, by_ben, member)
    mistake = (await sold_at_desk(harness, by_cleo, member, "card_terminal")).json()
    await harness.client.post(f"/orders/{mistake['id']}/reverse", json={"reason": "typo"}, headers=by_cleo)
    report = await harness.client.get("/desk-payments/report", headers=by_ben)
    assert sorted(report.json()["takings"], key=lambda one: str(one["method"])) == [
        {
            "by_id": str(cleo),
            "method": "card_terminal",
            "currency": "EUR",
            "sales": 1,
            "taken": 1000,
            "given_back": 1000,
            "kept": 0,
        },
        {
            "by_id": str(ben),
            "method": "cash",
            "currency": "EUR",
            "sales": 2,
            "taken": 2000,
            "given_back": 0,
            "kept": 2000,
        },
    ]


async def test_the_report_s_day_is_a_gym_s(harness: Harness) -> None:
    member, staff = harness.world.newcomer(), harness.bearer(Role.STAFF)
    gym = harness.world.gym()  # in Berlin, an hour ahead of UTC
    harness.world.clock.forward(11.5 * 3600)
    await sold_at_desk(harness, staff, member)

    async def sales(**asked: str) -> int:
        answer = await harness.client.get("/desk-payments/report", params=asked, headers=staff)
        assert answer.status_code == 200, answer.text
        return sum(one["sales"] for one in answer.json()["takings"])

    today, tomorrow = "2026-03-02T12:00:00Z", "2026-03-03T12:00:00+01:00"
    assert [await sales(day=today), await sales(day=tomorrow)] == [1, 0]
    assert [await sales(day=today, gym=str(gym)), await sales(day=tomorrow, gym=str(gym))] == [0, 1]
    assert await sales() == await sales(gym=str(gym)) == 1


@pytest.mark.parametrize(
    "day",
    ["2026-03-02T12:00:00", "yesterday", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00"],
)
async def test_an_unclear_day_is_refused(harness: Harness, day: str) -> None:
    for gym in ({}, {"gym": str(harness.world.gym())}):
        answer = await harness.client.get(
            "/desk-payments/report", params={"day": day} | gym, headers=harness.bearer(Role.STAFF)
        )
        assert_problem(answer, 422, "invalid_request")


async def test_the_same_order_once_more_is_the_same_and_a_fourth_takes_the_place_of_the_oldest(
    harness: Harness,
) -> None:
    _, mia = newcomer(harness)
    first = await ordered(harness, mia)
    assert await ordered(harness, mia) == first
    others = [await ordered(harness, mia, cancel_url=f"{PUBLIC_URL}/{n}") for n in range(3)]
    states = {one["id"]: one["state"] for one in (await harness.client.get("/me/orders", headers=mia)).json()["items"]}
    assert states == {first["id"]: "expired"} | {other["id"]: "open" for other in others}


async def test_while_three_payments_are_on_their_way_a_fourth_order_is_refused(harness: Harness) -> None:
    _, mia = newcomer(harness)
    for n in range(3):
        order = await ordered(harness, mia, cancel_url=f"{PUBLIC_URL}/{n}")
        harness.payment_provider.pay(session_of(order), later=True)
        assert (await checked(harness, mia, order))["state"] == "processing"
    assert_problem(await checkout(harness, mia), 409, "too_many_open_orders")


async def test_orders_are_listed_newest_first_a_page_at_a_time(harness: Harness) -> None:
    member, mia = newcomer(harness)
    _, eve = newcomer(harness)
    made = [(await ordered(harness, mia, cancel_url=f"{PUBLIC_URL}/{n}"))["id"] for n in range(3)]
    await ordered(harness, eve)
    staff = harness.bearer(Role.STAFF)
    for path, headers in (("/me/orders", mia), (f"/members/{member}/orders", staff)):
        first = (await harness.client.get(path, params={"limit": 2}, headers=headers)).json()
        rest = (await harness.client.get(path, params={"limit": 2, "after": first["next"]}, headers=headers)).json()
        assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
        assert (len(first["items"]), rest["next"]) == (2, None)
    assert_problem(await harness.client.get(f"/members/{member}/orders", headers=mia), 403, "forbidden")
    assert_problem(await harness.client.get("/me/orders?after=x", headers=mia), 422, "invalid_request")
