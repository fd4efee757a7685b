"""Plans and the company over the interface."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from domain.identity.model import Role
from domain.ids import new_id
from domain.memberships.tables import plans
from tests.unit.deployments.gateway.purchases import EUR_10, bought, checkout, made_plan, newcomer, ordered
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio

NEW = {"name": " 90 days ", "days": 90, "price": {"amount": 2500, "currency": "eur"}}


def if_match(headers: dict[str, str], tag: str) -> dict[str, str]:
    return headers | {"If-Match": tag}


async def test_a_plan_is_made_with_what_is_usual(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    answer = await harness.client.post("/plans", json=NEW, headers=admin)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    plan = answer.json()
    assert plan == {
        "id": plan["id"],
        "name": "90 days",
        "days": 90,
        "price": {"amount": 2500, "currency": "EUR"},
        "grace_days": 3,
        "covers_all_gyms": True,
        "gyms": [],
        "retired_at": None,
        "version": 1,
    }
    read = await harness.client.get(f"/plans/{plan['id']}")
    assert (read.json(), read.headers["etag"]) == (plan, '"1"')


async def test_a_plan_that_is_sent_again_is_made_once(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN) | {"Idempotency-Key": "once"}
    first, again = [await harness.client.post("/plans", json=NEW, headers=admin) for _ in range(2)]
    assert (first.status_code, first.json(), first.headers["etag"]) == (
        *(again.status_code, again.json()),
        again.headers["etag"],
    )
    other = await harness.client.post("/plans", json=NEW | {"days": 91}, headers=admin)
    assert_problem(other, 422, "idempotency_key_reused")
    with harness.world.store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(plans)).scalar_one() == 2, "the world's, and this"


async def test_prices_of_no_two_and_three_decimals_are_whole_minor_units(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    for amount, currency in (
        *((50, "EUR"), (1200, "JPY"), (12_500, "KWD"), (99_999_999, "USD"), (10, "BHD")),
        *((150_000_000, "IDR"), (3_000_000, "UGX"), (50_000, "ISK")),
    ):
        price = {"amount": amount, "currency": currency}
        plan = await made_plan(harness, admin, price=price)
        assert plan["price"] == price
        _, mia = newcomer(harness)
        assert (await ordered(harness, mia, UUID(plan["id"])))["price"] == price


@pytest.mark.parametrize(
    ("amount", "currency", "detail"),
    [
        (12_501, "KWD", "is not a multiple of 10 KWD. Use 12500 or 12510."),
        (9, "KWD", "is less than the minimum charge. Use 10 or more"),
        (50_050, "ISK", "Plan price 50050 ISK is not a multiple of 100 ISK. Use 50000 or 50100."),
        (49, "EUR", "Plan price 49 EUR is less than the minimum charge. Use 50 or more"),
        (100_000_000, "EUR", "is more than the maximum charge. Use 99999999 or less"),
        (1000, "XYZ", "Currency XYZ is not supported."),
    ],
)
async def test_a_price_that_cannot_be_charged_makes_no_plan(
    harness: Harness, amount: int, currency: str, detail: str
) -> None:
    admin = harness.bearer(Role.ADMIN)
    price = {"amount": amount, "currency": currency}
    answer = await harness.client.post("/plans", json=NEW | {"price": price}, headers=admin)
    assert detail in assert_problem(answer, 422, "price_not_payable")["detail"]
    answer = await harness.client.patch(
        f"/plans/{harness.world.plan}", json={"price": price}, headers=if_match(admin, "*")
    )
    assert detail in assert_problem(answer, 422, "price_not_payable")["detail"]


async def test_a_plan_of_before_that_cannot_be_charged_is_refused_at_the_checkout_and_sold_at_the_desk(
    harness: Harness,
) -> None:
    with harness.world.store.writing() as connection:
        connection.execute(update(plans).values(price_amount=49))
    member, mia = newcomer(harness)
    problem = assert_problem(await checkout(harness, mia), 422, "price_not_payable")
    assert problem["detail"] == "Plan price 49 EUR is less than the minimum charge. Use 50 or more (minor units)."
    assert (await harness.client.get("/me/orders", headers=mia)).json()["items"] == []
    assert not harness.payment_provider.pages
    sale = {"member_id": str(member), "plan_id": str(harness.world.plan), "method": "cash"}
    sold = await harness.client.post("/desk-payments", json=sale, headers=harness.bearer(Role.ADMIN))
    assert (sold.status_code, sold.json()["price"]) == (201, {"amount": 49, "currency": "EUR"})


@pytest.mark.parametrize("field", ["name", "days", "price", "grace_days", "gyms"])
async def test_what_no_plan_can_be_is_named_by_its_field(harness: Harness, field: str) -> None:
    admin = harness.bearer(Role.ADMIN)
    changes: dict[str, list[tuple[Any, str]]] = {
        "name": [(" ", "name"), (None, "name"), ("x" * 1000, "name")],
        "days": [(0, "days"), (-30, "days"), (3661, "days"), (1.5, "days"), (None, "days")],
        "price": [
            (10.0, "price"),
            (None, "price"),
            ({"amount": 0, "currency": "EUR"}, "price.amount"),
            ({"amount": -1, "currency": "EUR"}, "price.amount"),
            ({"amount": 10.5, "currency": "EUR"}, "price.amount"),
            ({"amount": 1_000_000_000_000, "currency": "IDR"}, "price.amount"),
            ({"amount": 1000, "currency": "EURO"}, "price.currency"),
            ({"amount": 1000, "currency": "€€€"}, "price.currency"),
            ({"amount": 1000, "currency": "E1R"}, "price.currency"),
            ({"amount": 1000}, "price.currency"),
            ({"currency": "EUR"}, "price.amount"),
        ],
        "grace_days": [(-1, "grace_days"), (91, "grace_days")],
        "gyms": [("all", "gyms"), (["one"], "gyms.0")],
    }
    url = f"/plans/{harness.world.plan}"
    for value, named in changes[field]:
        for answer in (
            await harness.client.post("/plans", json=NEW | {field: value}, headers=admin),
            await harness.client.patch(url, json={field: value}, headers=if_match(admin, "*")),
        ):
            assert answer.status_code == 422, (field, value, answer.text)
            problem = assert_problem(answer, 422, "invalid_request")
            assert [one["field"] for one in problem["fields"]] == [named], (field, value)
    for field_left_out in NEW:
        body = {name: value for name, value in NEW.items() if name != field_left_out}
        problem = assert_problem(await harness.client.post("/plans", json=body, headers=admin), 422, "invalid_request")
        assert [one["field"] for one in problem["fields"]] == [field_left_out]


async def test_a_plan_names_gyms_exactly_where_it_does_not_cover_all(harness: Harness) -> None:
    admin, gym = harness.bearer(Role.ADMIN), str(harness.world.gym())
    for where in ({"covers_all_gyms": False}, {"gyms": [gym]}, {"covers_all_gyms": True, "gyms": [gym]}):
        for answer in (
            await harness.client.post("/plans", json=NEW | where, headers=admin),
            await harness.client.patch(f"/plans/{harness.world.plan}", json=where, headers=if_match(admin, "*")),
        ):
            if answer.status_code == 200:  # a change that names gyms says with it that these are all
                assert answer.json()["gyms"] == [gym]
                assert answer.json()["covers_all_gyms"] is False
                await harness.client.patch(
                    f"/plans/{harness.world.plan}", json={"covers_all_gyms": True}, headers=if_match(admin, "*")
                )
                continue
            assert_problem(answer, 422, "invalid_request")
    plan = await made_plan(harness, admin, covers_all_gyms=False, gyms=[gym])
    assert (plan["covers_all_gyms"], plan["gyms"]) == (False, [gym])
    nowhere = NEW | {"covers_all_gyms": False, "gyms": [gym, str(new_id())]}
    assert_problem(await harness.client.post("/plans", json=nowhere, headers=admin), 404, "unknown_gym")
    moved = await harness.client.patch(
        f"/plans/{plan['id']}", json={"gyms": [str(new_id())]}, headers=if_match(admin, "*")
    )
    assert_problem(moved, 404, "unknown_gym")
    all_of_them = await harness.client.patch(
        f"/plans/{plan['id']}", json={"covers_all_gyms": True}, headers=if_match(admin, "*")
    )
    assert (all_of_them.json()["covers_all_gyms"], all_of_them.json()["gyms"]) == (True, [])


async def test_a_change_needs_the_version_that_was_read(harness: Harness) -> None:
    admin, url = harness.bearer(Role.ADMIN), f"/plans/{harness.world.plan}"
    change = {"price": {"amount": 1200, "currency": "EUR"}}
    assert_problem(await harness.client.patch(url, json=change, headers=admin), 428, "precondition_required")
    changed = await harness.client.patch(url, json=change, headers=if_match(admin, '"1"'))
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["price"]["amount"], changed.json()["name"], changed.json()["days"]) == (1200, "30 days", 30)
    stale = await harness.client.patch(url, json={"name": "A month"}, headers=if_match(admin, '"1"'))
    assert "version 2" in assert_problem(stale, 412, "changed_meanwhile")["detail"]
    same = await harness.client.patch(url, json=change, headers=if_match(admin, '"2"'))
    assert same.headers["etag"] == '"2"', "nothing was changed"
    missing = await harness.client.patch(f"/plans/{new_id()}", json=change, headers=if_match(admin, "*"))
    assert_problem(missing, 404, "unknown_plan")
    assert_problem(await harness.client.delete(url, headers=admin), 428, "precondition_required")
    assert_problem(await harness.client.delete(url, headers=if_match(admin, '"1"')), 412, "changed_meanwhile")


async def test_of_a_plan_that_was_sold_only_name_and_price_change_and_for_those_who_come(harness: Harness) -> None:
    admin, url = if_match(harness.bearer(Role.ADMIN), "*"), f"/plans/{harness.world.plan}"
    gym = str(harness.world.gym())
    free = await harness.client.patch(url, json={"grace_days": 5}, headers=admin)
    assert free.json()["grace_days"] == 5, "nobody has bought it yet"
    _, mia = newcomer(harness)
    order = await bought(harness, mia)
    for change, named in (
        ({"days": 31}, "days"),
        ({"grace_days": 4}, "grace_days"),
        ({"covers_all_gyms": False, "gyms": [gym]}, "covers_all_gyms, gyms"),
        ({"price": {"amount": 1000, "currency": "USD"}}, "currency"),
    ):
        refused = await harness.client.patch(url, json={"name": "Other"} | change, headers=admin)
        assert named in assert_problem(refused, 409, "plan_sold")["detail"]
    change = {"name": "A month", "price": {"amount": 1200, "currency": "EUR"}, "days": 30}
    changed = await harness.client.patch(url, json=change, headers=admin)
    assert (changed.json()["name"], changed.json()["price"]["amount"]) == ("A month", 1200)
    old = (await harness.client.get(f"/orders/{order['id']}", headers=mia)).json()
    assert (old["plan_name"], old["price"]) == ("30 days", EUR_10)
    assert (await ordered(harness, mia))["price"]["amount"] == 1200


async def test_a_retired_plan_is_sold_no_more_until_it_is_reopened(harness: Harness) -> None:
    admin, url = harness.bearer(Role.ADMIN), f"/plans/{harness.world.plan}"
    for tag in ('"1"', '"1"'):  # once more changes nothing, whatever the version
        answer = await harness.client.delete(url, headers=if_match(admin, tag))
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await harness.client.get("/plans")).json()["items"] == []
    (retired,) = (await harness.client.get("/plans?retired=true")).json()["items"]
    assert (retired["retired_at"], retired["version"]) == ("2026-03-02T12:00:00Z", 2)
    assert (await harness.client.get(url)).json() == retired, "whoever has it can still read it"
    changed = await harness.client.patch(url, json={"name": "A month"}, headers=if_match(admin, "*"))
    assert_problem(changed, 404, "unknown_plan")
    for _ in range(2):
        reopened = await harness.client.post(f"{url}/reopen", headers=admin)
        assert (reopened.headers["etag"], reopened.json()["retired_at"]) == ('"3"', None)
    assert [one["id"] for one in (await harness.client.get("/plans")).json()["items"]] == [str(harness.world.plan)]
    assert_problem(await harness.client.delete(f"/plans/{new_id()}", headers=if_match(admin, "*")), 404, "unknown_plan")
    assert_problem(await harness.client.post(f"/plans/{new_id()}/reopen", headers=admin), 404, "unknown_plan")
    assert_problem(await harness.client.get(f"/plans/{new_id()}"), 404, "unknown_plan")


async def test_plans_are_listed_as_they_were_made_a_page_at_a_time_for_everybody(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    made = [str(harness.world.plan), *[(await made_plan(harness, admin, days=days))["id"] for days in (90, 180)]]
    first = (await harness.client.get("/plans?limit=2")).json()
    rest = (await harness.client.get("/plans", params={"limit": 2, "after": first["next"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made
    assert rest["next"] is None
    assert_problem(await harness.client.get("/plans?retired=perhaps"), 422, "invalid_request")


async def test_only_admins_say_what_is_sold(harness: Harness) -> None:
    url = f"/plans/{harness.world.plan}"
    for headers, status, code in (
        ({}, 401, "unauthenticated"),
        (harness.bearer(Role.USER), 403, "forbidden"),
        (harness.bearer(Role.STAFF), 403, "forbidden"),
    ):
        matched = if_match(headers, "*")
        for answer in (
            await harness.client.post("/plans", json=NEW, headers=headers),
            await harness.client.patch(url, json={"name": "Free"}, headers=matched),
            await harness.client.delete(url, headers=matched),
            await harness.client.post(f"{url}/reopen", headers=headers),
            await harness.client.patch("/company", json={"name": "Mine"}, headers=headers),
        ):
            assert_problem(answer, status, code)
    (plan,) = (await harness.client.get("/plans")).json()["items"]
    assert (plan["name"], plan["version"]) == ("30 days", 1)


async def test_the_company_is_read_by_staff_and_changed_by_admins_only_in_what_is_sent(harness: Harness) -> None:
    admin, staff = harness.bearer(Role.ADMIN), harness.bearer(Role.STAFF)
    first = (await harness.client.get("/company", headers=staff)).json()
    assert first == {
        "id": str(harness.world.company),
        "name": "Company",
        "address": "",
        "vat_number": "",
        "vat_rate_bp": first["vat_rate_bp"],
    }
    wanted = {"address": " Quay 7, Berlin ", "vat_number": "DE123456789", "vat_rate_bp": 1900}
    changed = await harness.client.patch("/company", json=wanted, headers=admin)
    assert changed.json() == first | wanted | {"address": "Quay 7, Berlin"}
    assert (await harness.client.patch("/company", json={}, headers=admin)).json() == changed.json()
    assert (await harness.client.get("/company", headers=staff)).json() == changed.json()
    assert_problem(await harness.client.get("/company", headers=harness.bearer(Role.USER)), 403, "forbidden")


async def test_what_no_company_can_be_is_named_by_its_field(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    for change in (
        *({"name": " "}, {"name": None}, {"name": "x" * 201}, {"address": "x" * 501}, {"address": None}),
        *({"vat_number": "x" * 33}, {"vat_rate_bp": -1}, {"vat_rate_bp": 5001}, {"vat_rate_bp": 19.5}),
    ):
        answer = await harness.client.patch("/company", json=change, headers=admin)
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == list(change)


async def test_the_company_s_rate_is_that_of_what_is_sold_from_then_on(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    _, mia = newcomer(harness)
    before = await bought(harness, mia)
    await harness.client.patch("/company", json={"vat_rate_bp": 1900}, headers=admin)
    after = await bought(harness, mia)
    vat = []
    for order in (before, after):
        url = f"/invoices/{order['invoices'][0]['id']}"
        vat.append((await harness.client.get(url, headers=mia)).json()["vat"]["amount"])
    assert vat == [0, 160]
