"""Users, as staff and admins see them, and what becomes of an account that is deleted."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from deployments.http.confirmed_cache import Freshness
from domain.door.tables import visits
from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from tests.unit.deployments.gateway.signed_in_members import new_admin, new_member, sign_in, try_to_sign_in
from tests.unit.deployments.harness import Harness, assert_problem
from tests.unit.integrations.local_identity.harness import EMAIL
from tests.world import World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def harness(world: World) -> AsyncIterator[Harness]:
    """A replica that confirms what it remembers before every call."""
    harness = Harness(world, freshness=Freshness(trust_for=0, deny_for=0))
    async with harness.client:
        yield harness


async def emails(harness: Harness, query: str, headers: dict[str, str]) -> list[str]:
    answer = await harness.client.get(f"/users{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    return sorted(user["email"] for user in answer.json()["items"])


async def test_users_are_listed_searched_and_shown(harness: Harness) -> None:
    admin = await new_admin(harness)
    ana, eve = await new_member(harness), await new_member(harness, "eve_x@example.com")
    assert await emails(harness, "", admin.headers) == [EMAIL, "boss@example.com", "eve_x@example.com"]
    assert await emails(harness, "?search=eve_", admin.headers) == ["eve_x@example.com"]
    assert await emails(harness, "?search=eve%25", admin.headers) == []
    assert await emails(harness, "?search=lima&role=Admin", admin.headers) == ["boss@example.com"]
    await harness.client.post(f"/users/{eve.id}/disable", headers=admin.headers)
    assert await emails(harness, "?state=disabled", admin.headers) == ["eve_x@example.com"]
    first = (await harness.client.get("/users?limit=2", headers=admin.headers)).json()
    rest = (await harness.client.get(f"/users?limit=2&after={first['next']}", headers=admin.headers)).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    assert {one["id"] for one in first["items"] + rest["items"]} == {str(admin.id), str(ana.id), str(eve.id)}
    assert (await harness.client.get(f"/users/{ana.id}", headers=admin.headers)).json() == {
        "id": str(ana.id),
        "email": EMAIL,
        "name": "Ana Lima",
        "picture_url": None,
        "roles": ["User"],
        "state": "active",
        "created_at": "2026-03-02T12:00:00Z",
    }
    for wrong in ("?role=Owner", "?state=x", "?search=", "?limit=0", "?after=x"):
        assert_problem(await harness.client.get(f"/users{wrong}", headers=admin.headers), 422, "invalid_request")
    for path in ("", "/history"):
        assert_problem(await harness.client.get(f"/users/{new_id()}{path}", headers=admin.headers), 404, "unknown_user")


async def test_what_was_done_to_an_account_is_kept_by_whom_what_and_when(harness: Harness) -> None:
    admin, ana = await new_admin(harness), await new_member(harness)
    path = f"/users/{ana.id}"
    await harness.client.put(f"{path}/roles/Staff", headers=admin.headers)
    await harness.client.delete(f"{path}/roles/Staff", headers=admin.headers)
    for _ in range(2):  # once more changes nothing
        assert (await harness.client.post(f"{path}/disable", headers=admin.headers)).json()["state"] == "disabled"
    assert (await harness.client.post(f"{path}/enable", headers=admin.headers)).json()["state"] == "active"
    ana = await sign_in(harness)
    await harness.client.patch("/me", json={"name": "Ana Souza"}, headers=ana.headers)
    history = (await harness.client.get(f"{path}/history", headers=admin.headers)).json()["items"]
    assert [(one["what"], one["detail"], one["by_id"]) for one in reversed(history)] == [
        ("created", "", None),
        ("role_given", "Staff", str(admin.id)),
        ("role_taken", "Staff", str(admin.id)),
        ("disabled", "", str(admin.id)),
        ("enabled", "", str(admin.id)),
        ("renamed", "Ana Lima → Ana Souza", str(ana.id)),
    ]
    assert {one["at"] for one in history} == {"2026-03-02T12:00:00Z"}


async def test_the_last_admin_keeps_the_role_and_the_account(harness: Harness) -> None:
    admin = await new_admin(harness)
    path = f"/users/{admin.id}"
    for method, what in (("DELETE", f"{path}/roles/Admin"), ("POST", f"{path}/disable"), ("DELETE", path)):
        assert_problem(await harness.client.request(method, what, headers=admin.headers), 409, "last_admin")
    assert_problem(await harness.client.delete("/me", headers=admin.headers), 409, "last_admin")
    ana = await new_member(harness)
    await harness.client.put(f"/users/{ana.id}/roles/Admin", headers=admin.headers)
    answer = await harness.client.delete(f"{path}/roles/Admin", headers=admin.headers)
    assert (answer.status_code, answer.json()["roles"]) == (200, ["User"])


async def test_who_was_admin_a_moment_ago_gives_no_role(harness: Harness) -> None:
    admin, other = await new_admin(harness), await new_admin(harness, "other@example.com")
    harness.provider.remove_from_group(admin.id, Role.ADMIN)  # at the provider alone: the token still says it
    answer = await harness.client.put(f"/users/{other.id}/roles/Staff", headers=admin.headers)
    assert_problem(answer, 403, "forbidden")


async def test_a_disabled_account_gets_no_further(harness: Harness) -> None:
    admin, ana = await new_admin(harness), await new_member(harness)
    await harness.client.post(f"/users/{ana.id}/disable", headers=admin.headers)
    assert_problem(await harness.client.get("/me", headers=ana.headers), 401, "unauthenticated")
    assert_problem(await try_to_sign_in(harness), 403, "account_disabled")
    answer = await harness.client.post("/sessions/refresh", json={"refresh_token": ana.tokens["refresh_token"]})
    assert_problem(answer, 401, "session_over")
    # A token of another session of theirs, which nobody has seen yet.
    assert_problem(
        await harness.client.get("/me", headers=harness.bearer(Role.USER, user_id=ana.id)), 403, "account_disabled"
    )
    await harness.client.post(f"/users/{ana.id}/enable", headers=admin.headers)
    assert (await harness.client.get("/me", headers=(await sign_in(harness)).headers)).status_code == 200


async def test_a_member_takes_everything_along(harness: Harness) -> None:
    at, ana = harness.gym_with_gate(), await new_member(harness)
    await harness.scan(at, ana.id, direction="enter")
    exported = (await harness.client.get("/me/export", headers=ana.headers)).json()
    assert exported["account"][0]["email"] == EMAIL
    assert exported["sessions"][0]["id"] == ana.session_id
    assert [scan["reason"] for scan in exported["scans"]] == ["no_membership"]


async def test_a_deleted_member_is_led_out_forgotten_and_not_let_in_again(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    headers = harness.bearer(Role.USER, user_id=member)
    assert (await harness.scan(at, member, direction="enter")).json()["outcome"] == "entered"
    assert (await harness.client.get("/me", headers=headers)).status_code == 200
    assert (await harness.client.delete("/me", headers=headers)).status_code == 204
    assert_problem(await harness.client.get("/me", headers=headers), 401, "unauthenticated")
    occupancy = await harness.client.get(f"/gyms/{at.gym}/occupancy", headers=at.headers)
    assert occupancy.json()["occupancy"] == 0
    assert (await harness.scan(at, member, direction="enter")).json()["outcome"] == "refused"
    with harness.world.store.reading() as connection:
        visit = connection.execute(select(visits)).one()
        row = connection.execute(select(users).where(users.c.id == member)).one()
    assert (visit.member_id, visit.inferred) == (None, "account_deleted")
    assert row.email is None
    assert_problem(
        await harness.client.get(f"/users/{member}", headers=harness.bearer(Role.STAFF)), 404, "unknown_user"
    )


async def test_a_deletion_that_the_door_did_not_answer_is_asked_for_again(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    headers = harness.bearer(Role.USER, user_id=member)
    await harness.scan(at, member, direction="enter")
    harness.commands.silent = True
    answer = await harness.client.delete("/me", headers=headers)
    assert_problem(answer, 503, "no_answer_in_time")
    assert "retry-after" in answer.headers
    assert (await harness.scan(at, member, direction="enter")).json()["outcome"] == "refused", "its passes have stopped"
    harness.commands.silent = False
    assert (await harness.client.delete("/me", headers=headers)).status_code == 204


async def test_an_admin_deletes_an_account_and_its_address_is_free_again(harness: Harness) -> None:
    admin, ana = await new_admin(harness), await new_member(harness)
    assert (await harness.client.delete(f"/users/{ana.id}", headers=admin.headers)).status_code == 204
    assert_problem(await try_to_sign_in(harness), 401, "wrong_credentials")
    again = await new_member(harness)
    assert again.id != ana.id
    assert_problem(await harness.client.delete(f"/users/{new_id()}", headers=admin.headers), 404, "unknown_user")


async def test_a_user_without_an_address_is_shown_without_one_and_buys(harness: Harness) -> None:
    member, staff = harness.world.newcomer(), harness.bearer(Role.STAFF)
    token = harness.tokens.give(Role.USER, user_id=member, email="facebook_10158000000000000")
    headers = {"Authorization": f"Bearer {token}"}
    assert (await harness.client.get("/me", headers=headers)).json()["email"] is None
    for search in ("none", "null", "facebook", str(member)):
        assert (await harness.client.get(f"/users?search={search}", headers=staff)).json()["items"] == []
    found = (await harness.client.get("/users?search=mia&role=User", headers=staff)).json()["items"]
    assert [(user["id"], user["email"]) for user in found] == [(str(member), None)]
    export = (await harness.client.get("/me/export", headers=headers)).json()
    assert export["account"][0]["email"] is None
    assert "facebook" not in str(export["account"])
    order = await harness.client.post("/checkouts", json={"plan_id": str(harness.world.plan)}, headers=headers)
    assert order.status_code == 201, order.text
    assert list(harness.payment_provider.addresses.values()) == [None]
