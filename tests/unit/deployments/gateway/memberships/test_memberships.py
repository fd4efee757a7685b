"""Memberships over the interface: what a member has, freezes, days given, bans, reminders, the ledger."""

from typing import Any
from uuid import UUID

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.gateway.purchases import Json, bought, checked, days_pass, made_plan, newcomer, sold_at_desk
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio


async def mine(harness: Harness, headers: dict[str, str]) -> Json:
    answer = await harness.client.get("/me/membership", headers=headers)
    assert answer.status_code == 200, answer.text
    membership: Json = answer.json()
    return membership


async def frozen(harness: Harness, headers: dict[str, str], member: UUID, days: int, **wanted: object) -> Any:  # noqa: ANN401 - an answer
    return await harness.client.post(f"/members/{member}/freezes", json={"days": days} | wanted, headers=headers)


async def test_without_a_membership_the_next_step_is_shown(harness: Harness) -> None:
    member, mia = newcomer(harness)
    assert await mine(harness, mia) == {
        "member_id": str(member),
        "state": "none",
        "ends_at": None,
        "remedy": "buy_membership",
        "reminder_mails": True,
        "memberships": [],
    }


async def test_what_was_bought_is_shown_with_its_days(harness: Harness) -> None:
    harness.world.gym()  # in Berlin, whose days count
    member, mia = newcomer(harness)
    await bought(harness, mia)
    now = await mine(harness, mia)
    (held,) = now["memberships"]
    assert held == {
        "id": held["id"],
        "plan_id": str(harness.world.plan),
        "plan_name": "30 days",
        "covers_all_gyms": True,
        "gyms": [],
        "state": "active",
        "time_zone": "Europe/Berlin",
        "starts_on": "2026-03-02",
        "ends_on": "2026-04-01",
        "ends_at": "2026-03-31T22:00:00Z",
        "days_left": 30,
        "grace_until": "2026-04-04",
        "freeze": None,
        "suspended_since": None,
    }
    assert (now["state"], now["ends_at"], now["remedy"]) == ("active", held["ends_at"], None)
    for role in (Role.STAFF, Role.ADMIN):
        seen = await harness.client.get(f"/members/{member}/membership", headers=harness.bearer(role))
        assert seen.json() == now


async def test_the_days_go_by_then_the_grace_and_then_it_has_ended(harness: Harness) -> None:
    _, mia = newcomer(harness)
    await bought(harness, mia)
    seen = []
    for days in (29, 1, 2, 1):
        days_pass(harness, days)
        now = await mine(harness, mia)
        seen.append((now["state"], now["remedy"], now["memberships"][0]["days_left"]))
    assert seen == [("active", None, 1), ("grace", "renew", 0), ("grace", "renew", 0), ("ended", "renew", 0)]


async def test_of_several_memberships_the_best_counts_and_the_longest_comes_first(harness: Harness) -> None:
    _, mia = newcomer(harness)
    gym = harness.world.gym()
    one_gym = await made_plan(harness, harness.bearer(Role.ADMIN), days=5, covers_all_gyms=False, gyms=[str(gym)])
    await bought(harness, mia)
    await bought(harness, mia, UUID(one_gym["id"]))
    now = await mine(harness, mia)
    assert [held["gyms"] for held in now["memberships"]] == [[], [str(gym)]]
    days_pass(harness, 6)
    now = await mine(harness, mia)
    assert (now["state"], [held["state"] for held in now["memberships"]]) == ("active", ["active", "grace"])


async def test_a_member_s_membership_is_no_other_member_s_business(harness: Harness) -> None:
    member, mia = newcomer(harness)
    _, eve = newcomer(harness)
    for path in ("membership", "ledger"):
        assert_problem(await harness.client.get(f"/members/{member}/{path}", headers=eve), 403, "forbidden")
        assert_problem(await harness.client.get(f"/members/{new_id()}/{path}", headers=eve), 403, "forbidden")
        assert (await harness.client.get(f"/members/{member}/{path}", headers=mia)).status_code == 200
    missing = await harness.client.get(f"/members/{new_id()}/membership", headers=harness.bearer(Role.STAFF))
    assert_problem(missing, 404, "unknown_user")


async def test_who_freezes_enters_not_and_loses_no_day(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, mia = newcomer(harness)
    await bought(harness, mia)
    days_pass(harness, 10)
    answer = await frozen(harness, mia, member, 7)
    assert answer.status_code == 200, answer.text
    now = answer.json()
    (held,) = now["memberships"]
    assert (now["state"], now["remedy"]) == ("frozen", "unfreeze")
    assert held["freeze"] == {"from_day": "2026-03-12", "until_day": "2026-03-19"}
    assert (held["ends_on"], held["days_left"]) == ("2026-04-08", 20)
    assert (await harness.scan(at, member)).json()["reason"] == "membership_frozen"
    days_pass(harness, 3)
    url = f"/members/{member}/freezes/current"
    thawed = await harness.client.delete(url, headers=mia)
    assert (thawed.json()["state"], thawed.json()["memberships"][0]["ends_on"]) == ("active", "2026-04-04")
    assert thawed.json()["memberships"][0]["freeze"] is None
    assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    assert_problem(await harness.client.delete(url, headers=mia), 409, "not_frozen")


async def test_a_freeze_ahead_leaves_the_door_open_until_then(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, mia = newcomer(harness)
    await bought(harness, mia)
    now = (await frozen(harness, mia, member, 7, from_day="2026-03-10")).json()
    assert (now["state"], now["memberships"][0]["freeze"]["from_day"]) == ("active", "2026-03-10")
    assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    assert_problem(await frozen(harness, mia, member, 7, from_day="2026-03-20"), 409, "already_frozen")
    days_pass(harness, 16)
    assert (await mine(harness, mia))["memberships"][0]["freeze"] is None, "it is over"


async def test_members_freeze_within_limits_and_admins_beyond_them(harness: Harness) -> None:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    refused = assert_problem(await frozen(harness, mia, member, 32), 422, "freeze_too_long")
    assert "at most 31 days" in refused["detail"]
    by_admin = await frozen(harness, harness.bearer(Role.ADMIN), member, 40, reason="an injury")
    assert by_admin.json()["state"] == "frozen"
    entry = (await harness.client.get(f"/members/{member}/ledger", headers=mia)).json()["items"][0]
    assert (entry["kind"], entry["reason"]) == ("freeze", "an injury")


async def test_only_members_themselves_and_admins_freeze(harness: Harness) -> None:
    member, mia = newcomer(harness)
    _, eve = newcomer(harness)
    await bought(harness, mia)
    for headers in (eve, harness.bearer(Role.STAFF)):
        assert_problem(await frozen(harness, headers, member, 7), 403, "forbidden")
        answer = await harness.client.delete(f"/members/{member}/freezes/current", headers=headers)
        assert_problem(answer, 403, "forbidden")
    assert (await mine(harness, mia))["memberships"][0]["freeze"] is None
    assert_problem(await frozen(harness, harness.bearer(Role.ADMIN), new_id(), 7), 404, "unknown_user")
    gone = await harness.client.delete(f"/members/{new_id()}/freezes/current", headers=harness.bearer(Role.ADMIN))
    assert_problem(gone, 404, "unknown_user")


async def test_where_no_day_is_left_nothing_is_frozen(harness: Harness) -> None:
    member, mia = newcomer(harness)
    assert_problem(await frozen(harness, mia, member, 7), 409, "nothing_to_freeze")
    unfreeze = await harness.client.delete(f"/members/{member}/freezes/current", headers=mia)
    assert_problem(unfreeze, 409, "not_frozen")
    await bought(harness, mia)
    assert_problem(await frozen(harness, mia, member, 7, from_day="2026-04-02"), 409, "nothing_to_freeze")
    days_pass(harness, 31)
    assert_problem(await frozen(harness, mia, member, 7), 409, "nothing_to_freeze")


NO_FREEZES: tuple[tuple[Json, str], ...] = (
    ({"days": 0}, "days"),
    ({"days": -7}, "days"),
    ({"days": 367}, "days"),
    ({"days": 1.5}, "days"),
    ({"from_day": "2026-02-30"}, "from_day"),
    ({"from_day": "9999-12-31"}, "from_day"),
    ({"reason": "x" * 201}, "reason"),
)


async def test_a_freeze_that_cannot_be_is_named_by_its_field(harness: Harness) -> None:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    for wanted, field in NO_FREEZES:
        for headers in (mia, harness.bearer(Role.ADMIN)):
            answer = await frozen(harness, headers, member, **({"days": 7} | wanted))
            assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == [field]


async def test_a_disputed_payment_suspends(harness: Harness) -> None:
    member, mia = newcomer(harness)
    order = await bought(harness, mia)
    (session,) = harness.payment_provider.pages
    days_pass(harness, 10)
    harness.payment_provider.dispute(session)
    await checked(harness, mia, order)
    now = await mine(harness, mia)
    assert (now["state"], now["remedy"]) == ("suspended", "pay")
    assert now["memberships"][0]["suspended_since"] == "2026-03-12"
    assert_problem(await frozen(harness, mia, member, 7), 409, "membership_suspended")


async def adjusted(harness: Harness, headers: dict[str, str], member: UUID, membership: object, days: object) -> Any:  # noqa: ANN401 - an answer
    body = {"membership_id": str(membership), "days": days, "reason": "goodwill"}
    return await harness.client.post(f"/members/{member}/adjustments", json=body, headers=headers)


async def test_an_admin_gives_days_and_takes_back_unused_ones(harness: Harness) -> None:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    days_pass(harness, 10)
    admin = harness.bearer(Role.ADMIN)
    held = (await mine(harness, mia))["memberships"][0]["id"]
    left = []
    for days in (5, 0, -10, -3660):
        answer = await adjusted(harness, admin, member, held, days)
        left.append(answer.json()["memberships"][0]["days_left"])
    assert left == [25, 25, 15, 0]
    assert (await mine(harness, mia))["memberships"][0]["starts_on"] == "2026-03-02", "the days used stay used"
    kept = [one["days"] for one in (await harness.client.get(f"/members/{member}/ledger", headers=mia)).json()["items"]]
    assert kept == [-15, -10, 5, 30]


async def test_days_given_twice_under_one_key_are_given_once(harness: Harness) -> None:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    held = (await mine(harness, mia))["memberships"][0]["id"]
    admin = harness.bearer(Role.ADMIN) | {"Idempotency-Key": "once"}
    for _ in range(2):
        answer = await adjusted(harness, admin, member, held, 5)
        assert answer.json()["memberships"][0]["days_left"] == 35
    assert (await mine(harness, mia))["memberships"][0]["days_left"] == 35


async def test_days_are_given_to_a_membership_of_the_member_by_admins_alone(harness: Harness) -> None:
    member, mia = newcomer(harness)
    other, eve = newcomer(harness)
    await bought(harness, mia)
    await bought(harness, eve)
    admin = harness.bearer(Role.ADMIN)
    held, others = [(await mine(harness, who))["memberships"][0]["id"] for who in (mia, eve)]
    for headers in (mia, harness.bearer(Role.STAFF)):
        assert_problem(await adjusted(harness, headers, member, held, 5), 403, "forbidden")
    for missing in (others, new_id()):
        assert_problem(await adjusted(harness, admin, member, missing, 5), 404, "unknown_membership")
    assert_problem(await adjusted(harness, admin, new_id(), held, 5), 404, "unknown_user")
    for days in (3661, -3661, 0.5):
        answer = await adjusted(harness, admin, member, held, days)
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == ["days"]
    assert (await mine(harness, eve))["memberships"][0]["days_left"] == 30
    assert other != member


async def test_who_is_banned_is_let_in_nowhere_until_the_ban_is_lifted(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, mia = newcomer(harness)
    await bought(harness, mia)
    staff, url = harness.bearer(Role.STAFF), f"/members/{member}/ban"
    for _ in range(2):
        answer = await harness.client.put(url, json={"reason": "broke a mirror"}, headers=staff)
        assert (answer.json()["state"], answer.json()["remedy"]) == ("banned", "ask_staff")
    assert (await mine(harness, mia))["state"] == "banned"
    assert (await harness.scan(at, member)).json()["reason"] == "banned"
    for _ in range(2):
        answer = await harness.client.delete(url, headers=staff)
        assert (answer.json()["state"], answer.json()["memberships"][0]["days_left"]) == ("active", 30)
    assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    rows = (await harness.client.get(f"/members/{member}/ledger", headers=mia)).json()["items"]
    assert [(one["kind"], one["reason"]) for one in rows[:2]] == [("unban", "ban lifted"), ("ban", "broke a mirror")]
    assert len(rows) == 3, "once more changes nothing"


async def test_a_ban_has_a_reason_and_is_the_staff_s(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff, url = harness.bearer(Role.STAFF), f"/members/{member}/ban"
    assert_problem(await harness.client.put(url, json={"reason": "me"}, headers=mia), 403, "forbidden")
    assert_problem(await harness.client.delete(url, headers=mia), 403, "forbidden")
    assert_problem(await harness.client.put(url, json={"reason": " "}, headers=staff), 422, "invalid_request")
    nobody = f"/members/{new_id()}/ban"
    assert_problem(await harness.client.put(nobody, json={"reason": "who"}, headers=staff), 404, "unknown_user")
    assert_problem(await harness.client.delete(nobody, headers=staff), 404, "unknown_user")
    assert (await mine(harness, mia))["state"] == "none"


async def test_reminders_are_switched_off_and_on_by_oneself(harness: Harness) -> None:
    _, mia = newcomer(harness)
    _, eve = newcomer(harness)
    for wanted in (False, False, True):
        answer = await harness.client.put("/me/reminders", json={"mails": wanted}, headers=mia)
        assert answer.json()["reminder_mails"] == wanted
        assert (await mine(harness, mia))["reminder_mails"] == wanted
        assert (await mine(harness, eve))["reminder_mails"]
    assert_problem(await harness.client.put("/me/reminders", json={}, headers=mia), 422, "invalid_request")


async def test_the_ledger_says_who_and_what_and_why_and_from_which_payment(harness: Harness) -> None:
    member, mia = newcomer(harness)
    staff = new_id()
    sold = (await sold_at_desk(harness, harness.bearer(Role.STAFF, user_id=staff), member)).json()
    card = await bought(harness, mia)
    items = (await harness.client.get(f"/members/{member}/ledger", headers=mia)).json()["items"]
    assert items[1] == {
        "id": items[1]["id"],
        "booking_id": items[1]["booking_id"],
        "membership_id": (await mine(harness, mia))["memberships"][0]["id"],
        "kind": "purchase",
        "days": 30,
        "from_day": "2026-03-02",
        "until_day": "2026-04-01",
        "money": {"amount": 1000, "currency": "EUR"},
        "method": "cash",
        "order_id": sold["id"],
        "booked_on": "2026-03-02",
        "by_id": str(staff),
        "reason": "paid at the desk",
        "created_at": "2026-03-02T12:00:00Z",
    }
    assert [items[0][name] for name in ("order_id", "by_id", "method", "from_day", "until_day")] == [
        *(card["id"], None, "stripe", "2026-04-01", "2026-05-01"),
    ]


async def test_the_ledger_is_listed_newest_first_a_page_at_a_time(harness: Harness) -> None:
    member, mia = newcomer(harness)
    _, eve = newcomer(harness)
    orders = [(await bought(harness, mia))["id"] for _ in range(3)]
    await bought(harness, eve)
    url = f"/members/{member}/ledger"
    for headers in (mia, harness.bearer(Role.STAFF)):
        first = (await harness.client.get(url, params={"limit": 2}, headers=headers)).json()
        rest = (await harness.client.get(url, params={"limit": 2, "after": first["next"]}, headers=headers)).json()
        assert [one["order_id"] for one in first["items"] + rest["items"]] == orders[::-1]
        assert rest["next"] is None


async def test_days_given_again_and_again_are_refused_fifty_years_ahead(harness: Harness) -> None:
    member, mia = newcomer(harness)
    await bought(harness, mia)
    held = (await mine(harness, mia))["memberships"][0]["id"]
    body = {"membership_id": held, "days": 3660, "reason": "a gift"}
    url, admin = f"/members/{member}/adjustments", harness.bearer(Role.ADMIN)
    statuses = [(await harness.client.post(url, json=body, headers=admin)).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 409]
    problem = assert_problem(await harness.client.post(url, json=body, headers=admin), 409, "membership_too_long")
    assert problem["detail"] == (
        "3660 more days end after 2076-03-01, the last day that is allowed. Use 3592 days or fewer."
    )
