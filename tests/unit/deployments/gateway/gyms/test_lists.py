"""Gyms, gates, devices and visits, and lists that stay right while rows arrive."""

from typing import Any
from uuid import UUID

import pytest

from deployments.http.confirmed_cache import Freshness
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem, scan_body

pytestmark = pytest.mark.anyio


async def read_all(harness: Harness, path: str, headers: dict[str, str], limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        separator = "&" if "?" in path else "?"
        page = (await harness.client.get(f"{path}{separator}limit={limit}{after}", headers=headers)).json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        after = f"&after={page['next']}"


async def test_gyms_are_listed_and_shown(harness: Harness) -> None:
    ids = [str(harness.world.gym(capacity)) for capacity in (10, 20, 30)]
    user = harness.bearer(Role.USER)
    assert [gym["id"] for gym in await read_all(harness, "/gyms", user, 2)] == ids
    shown = (await harness.client.get(f"/gyms/{ids[1]}", headers=user)).json()
    assert shown == {
        "id": ids[1],
        "number": 2,
        "name": "Gym",
        "address": "Street",
        "time_zone": "Europe/Berlin",
        "capacity": 20,
        "reentry_after_s": 900,
        "grace_after_closing_s": 0,
        "longest_visit_s": 21600,
        "longest_use_s": 7200,
        "retired_at": None,
        "version": 1,
    }
    harness.world.change_gym(UUID(ids[1]), retired_at=harness.world.clock.now)
    assert_problem(await harness.client.get(f"/gyms/{ids[1]}", headers=user), 404, "unknown_gym")
    assert_problem(await harness.client.get(f"/gyms/{ids[1]}/occupancy", headers=user), 404, "unknown_gym")
    assert [gym["id"] for gym in await read_all(harness, "/gyms", user, 2)] == [ids[0], ids[2]]


async def test_occupancy_is_who_is_inside(harness: Harness) -> None:
    at, user = harness.gym_with_gate(capacity=7), harness.bearer(Role.USER)
    for member in harness.world.members(3):
        await harness.scan(at, member)
    assert (await harness.client.get(f"/gyms/{at.gym}/occupancy", headers=user)).json() == {
        "gym_id": str(at.gym),
        "occupancy": 3,
        "capacity": 7,
        "as_of": "2026-03-02T12:00:00Z",
    }


async def test_the_roll_call_names_everybody_once_however_it_is_paged(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    members = harness.world.members(5)
    for member in members:
        await harness.scan(at, member)
    inside = await read_all(harness, f"/gyms/{at.gym}/inside", staff, 2)
    assert [one["member_id"] for one in inside] == [str(member) for member in members]
    assert inside[0] | {"visit_id": ""} == {
        "visit_id": "",
        "member_id": str(members[0]),
        "name": "Mia",
        "since": "2026-03-02T12:00:00Z",
        "gate_id": str(at.gate),
        "gate_name": f"Gate {at.gate}",
        "over_capacity": False,
    }
    assert_problem(await harness.client.get(f"/gyms/{new_id()}/inside", headers=staff), 404, "unknown_gym")


async def test_scans_are_listed_newest_first_and_arrivals_disturb_no_reader(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    for number in range(5):
        await harness.scan(at, "forged", scan_id=str(number))
    url = f"/gyms/{at.gym}/scans"
    first = (await harness.client.get(f"{url}?limit=2", headers=staff)).json()
    await harness.scan(at, "forged", scan_id="late")
    second = (await harness.client.get(f"{url}?limit=3&after={first['next']}", headers=staff)).json()
    assert [row["scan_id"] for row in first["items"] + second["items"]] == ["4", "3", "2", "1", "0"]
    assert second["next"] is None


async def test_scans_are_found_by_outcome_reason_and_member(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    member, other = harness.world.members(2)
    await harness.scan(at, member, scan_id="in")
    await harness.scan(at, other, scan_id="other")
    await harness.scan(at, "forged", scan_id="forged")
    url = f"/gyms/{at.gym}/scans"
    for query, expected in (
        ("", ["forged", "other", "in"]),
        ("?outcome=entered", ["other", "in"]),
        ("?reason=unknown_pass", ["forged"]),
        (f"?member={member}", ["in"]),
        (f"?member={member}&outcome=refused", []),
    ):
        assert [row["scan_id"] for row in await read_all(harness, url + query, staff, 2)] == expected
    for query in ("?outcome=lost", "?reason=none", "?member=1", "?limit=201", "?limit=0", "?after=x", "?after=AAAA"):
        assert_problem(await harness.client.get(url + query, headers=staff), 422, "invalid_request")
    listed = (await harness.client.get(f"{url}?outcome=refused", headers=staff)).json()["items"][0]
    assert (listed["asked_by"], listed["gate_id"], listed["direction"]) == (str(at.device), str(at.gate), "auto")


async def test_a_gate_s_name_is_unique_in_its_gym(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    gym, other = harness.world.gym(), harness.world.gym()
    made = await harness.client.post(f"/gyms/{gym}/gates", json={"name": " Front ", "serves": "both"}, headers=admin)
    assert made.status_code == 201
    assert made.json() | {"id": ""} == {
        "id": "",
        "gym_id": str(gym),
        "name": "Front",
        "serves": "both",
        "created_at": "2026-03-02T12:00:00Z",
        "version": 1,
    }
    again = {"name": "FRONT", "serves": "in"}
    assert_problem(await harness.client.post(f"/gyms/{gym}/gates", json=again, headers=admin), 409, "gate_name_taken")
    assert (await harness.client.post(f"/gyms/{other}/gates", json=again, headers=admin)).status_code == 201
    assert_problem(await harness.client.post(f"/gyms/{new_id()}/gates", json=again, headers=admin), 404, "unknown_gym")
    assert await read_all(harness, f"/gyms/{gym}/gates", harness.bearer(Role.STAFF), 1) == [made.json()]
    assert_problem(await harness.client.get(f"/gyms/{new_id()}/gates", headers=admin), 404, "unknown_gym")


async def test_a_device_is_shown_its_credential_once_and_can_scan_with_it_until_revoked(harness: Harness) -> None:
    quick = Harness(harness.world, freshness=Freshness(trust_for=0, deny_for=0))
    at, admin = quick.gym_with_gate(), quick.bearer(Role.ADMIN)
    url = f"/gates/{at.gate}/devices"
    made = await quick.client.post(url, json={"name": "Turnstile"}, headers=admin)
    assert made.status_code == 201
    credential = made.json()["credential"]
    secret = credential.partition(".")[2]
    assert len(secret) >= 43
    listed = await read_all(quick, url, admin, 1)
    assert [device["name"] for device in listed] == ["Reader", "Turnstile"]
    assert secret not in str(listed)
    headers = {"Authorization": f"Device {credential}"}
    assert (await quick.client.post("/scans", json=scan_body(at.gate, "x"), headers=headers)).status_code == 200
    for _ in range(2):
        assert (await quick.client.delete(f"/devices/{made.json()['id']}", headers=admin)).status_code == 204
        quick.world.clock.forward(60)
    answer = await quick.client.post("/scans", json=scan_body(at.gate, "x"), headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert (await read_all(quick, url, admin, 5))[1]["revoked_at"] == "2026-03-02T12:00:00Z"
    assert_problem(await quick.client.delete(f"/devices/{new_id()}", headers=admin), 404, "unknown_device")
    assert_problem(
        await quick.client.post(f"/gates/{new_id()}/devices", json={"name": "x"}, headers=admin), 404, "unknown_gate"
    )
    assert_problem(await quick.client.get(f"/gates/{new_id()}/devices", headers=admin), 404, "unknown_gate")


async def test_visits_are_the_member_s_own_newest_first_without_annulled_ones(harness: Harness) -> None:
    at = harness.gym_with_gate()
    member, other = harness.world.members(2)
    await harness.scan(at, other)
    for number in range(3):
        await harness.scan(at, member, direction="enter", scan_id=f"in-{number}")
        harness.world.clock.forward(60)
        await harness.scan(at, member, direction="leave")
        harness.world.clock.forward(60)
    await harness.client.post("/scans/in-1/annul", json={}, headers=at.headers)
    headers = harness.bearer(Role.USER, user_id=member)
    visits = await read_all(harness, "/me/visits", headers, 1)
    assert [visit["entered_at"] for visit in visits] == ["2026-03-02T12:04:00Z", "2026-03-02T12:00:00Z"]
    assert visits[0] | {"id": ""} == {
        "id": "",
        "gym_id": str(at.gym),
        "gym_name": "Gym",
        "gate_id": str(at.gate),
        "entered_at": "2026-03-02T12:04:00Z",
        "left_at": "2026-03-02T12:05:00Z",
        "inferred": None,
    }
