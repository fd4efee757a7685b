"""Gyms set up, changed, retired and removed, and their opening hours, over the interface."""

from typing import Any
from uuid import UUID

import pytest

from deployments.http.api_rights import RIGHTS
from domain.identity.model import Role
from domain.ids import new_id
from tests.unit.deployments.harness import Harness, assert_problem

pytestmark = pytest.mark.anyio

NEW = {"name": " Riverside ", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 120}
WEEK = [{"weekday": day, "opens": "06:00", "closes": "22:00"} for day in range(7)]


async def made(harness: Harness, admin: dict[str, str]) -> dict[str, Any]:
    answer = await harness.client.post("/gyms", json=NEW, headers=admin)
    assert answer.status_code == 201, answer.text
    gym: dict[str, Any] = answer.json()
    return gym


def if_match(headers: dict[str, str], tag: str) -> dict[str, str]:
    return headers | {"If-Match": tag}


async def test_a_gym_is_set_up_with_what_is_usual(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    answer = await harness.client.post("/gyms", json=NEW, headers=admin | {"Idempotency-Key": "once"})
    assert answer.headers["etag"] == '"1"'
    gym = answer.json()
    assert gym | {"id": ""} == NEW | {
        "id": "",
        "number": 1,
        "name": "Riverside",
        "reentry_after_s": 900,
        "grace_after_closing_s": 1800,
        "longest_visit_s": 21600,
        "longest_use_s": 7200,
        "retired_at": None,
        "version": 1,
    }
    again = await harness.client.post("/gyms", json=NEW, headers=admin | {"Idempotency-Key": "once"})
    assert (again.json(), again.headers["etag"]) == (gym, '"1"')
    read = await harness.client.get(f"/gyms/{gym['id']}", headers=admin)
    assert (read.json(), read.headers["etag"]) == (gym, '"1"')


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"time_zone": "Moon/Crater"}, "time_zone"),
        ({"time_zone": "localtime"}, "time_zone"),
        ({"capacity": 0}, "capacity"),
        ({"reentry_after_s": -1}, "reentry_after_s"),
        ({"longest_visit_s": 0}, "longest_visit_s"),
    ],
)
async def test_what_no_gym_can_be_is_named_by_its_field(harness: Harness, change: dict[str, Any], field: str) -> None:
    admin = harness.bearer(Role.ADMIN)
    for answer in (
        await harness.client.post("/gyms", json=NEW | change, headers=admin),
        await harness.client.patch(f"/gyms/{harness.world.gym()}", json=change, headers=if_match(admin, "*")),
    ):
        assert [one["field"] for one in assert_problem(answer, 422, "invalid_request")["fields"]] == [field]


async def test_a_change_needs_the_version_that_was_read(harness: Harness) -> None:
    admin, gym = harness.bearer(Role.ADMIN), harness.world.gym()
    url = f"/gyms/{gym}"
    assert_problem(await harness.client.patch(url, json={"capacity": 7}, headers=admin), 428, "precondition_required")
    first = await harness.client.patch(url, json={"capacity": 7}, headers=if_match(admin, '"1"'))
    assert (first.status_code, first.headers["etag"], first.json()["capacity"]) == (200, '"2"', 7)
    second = await harness.client.patch(url, json={"capacity": 9}, headers=if_match(admin, '"1"'))
    assert "version 2, not 1" in assert_problem(second, 412, "changed_meanwhile")["detail"]
    for tag in ("1", '"1", "2"', '"x"', "", '"1" or so'):
        answer = await harness.client.patch(url, json={"capacity": 9}, headers=if_match(admin, tag))
        assert assert_problem(answer, 422, "invalid_request")["fields"][0]["field"] == "If-Match"
    for tag, etag in (('W/"2"', '"3"'), ("*", '"4"')):
        capacity = int(etag[1])
        answer = await harness.client.patch(url, json={"capacity": capacity}, headers=if_match(admin, tag))
        assert (answer.headers["etag"], answer.json()["capacity"]) == (etag, capacity)
    same = await harness.client.patch(url, json={"capacity": 4}, headers=if_match(admin, '"4"'))
    assert same.headers["etag"] == '"4"', "nothing was changed"
    missing = await harness.client.patch(f"/gyms/{new_id()}", json={}, headers=if_match(admin, "*"))
    assert_problem(missing, 404, "unknown_gym")


async def test_only_what_is_sent_changes_and_null_says_never(harness: Harness) -> None:
    admin = harness.bearer(Role.ADMIN)
    gym = await made(harness, admin)
    change = {"reentry_after_s": None, "address": "Mill Lane 2"}
    answer = await harness.client.patch(f"/gyms/{gym['id']}", json=change, headers=if_match(admin, '"1"'))
    assert answer.json() == gym | change | {"version": 2}
    refused = await harness.client.patch(f"/gyms/{gym['id']}", json={"capacity": None}, headers=if_match(admin, '"2"'))
    assert_problem(refused, 422, "invalid_request")


async def test_a_capacity_below_those_inside_lets_nobody_in_and_everybody_out(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)
    one, two, three = harness.world.members(3)
    for member in (one, two):
        assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    lowered = await harness.client.patch(f"/gyms/{at.gym}", json={"capacity": 1}, headers=if_match(admin, '"1"'))
    assert lowered.status_code == 200
    assert (await harness.scan(at, three)).json()["reason"] == "gym_full"
    left = (await harness.scan(at, one, direction="leave")).json()
    assert (left["outcome"], left["occupancy"], left["capacity"]) == ("left", 1, 1)


async def test_a_retired_gym_lets_nobody_in_until_it_is_reopened(harness: Harness) -> None:
    at, admin, user = harness.gym_with_gate(), harness.bearer(Role.ADMIN), harness.bearer(Role.USER)
    inside, outside = harness.world.members(2)
    await harness.scan(at, inside)
    url = f"/gyms/{at.gym}"
    refused = await harness.client.post(f"{url}/retire", headers=admin)
    assert "People inside: 1." in assert_problem(refused, 409, "gym_not_empty")["detail"]
    assert (await harness.client.get(url, headers=user)).json()["retired_at"] is None
    for force in ("?force=true", "", "?force=false"):
        retired = await harness.client.post(f"{url}/retire{force}", headers=admin)
        assert (retired.status_code, retired.headers["etag"]) == (200, '"2"')
        assert retired.json()["retired_at"] == "2026-03-02T12:00:00Z"
    assert (await harness.client.get("/gyms", headers=user)).json()["items"] == []
    assert (await harness.client.get("/gyms?retired=true", headers=user)).json()["items"] == [retired.json()]
    assert_problem(await harness.client.get(url, headers=user), 404, "unknown_gym")
    changed = await harness.client.patch(url, json={"capacity": 1}, headers=if_match(admin, "*"))
    assert_problem(changed, 404, "unknown_gym")
    assert (await harness.scan(at, outside)).json()["reason"] == "gym_closed"
    assert (await harness.scan(at, inside, direction="leave")).json()["outcome"] == "left"
    for _ in range(2):
        reopened = await harness.client.post(f"{url}/reopen", headers=admin)
        assert (reopened.headers["etag"], reopened.json()["retired_at"]) == ('"3"', None)
    assert (await harness.scan(at, outside)).json()["outcome"] == "entered"
    for word in ("retire", "reopen"):
        assert_problem(await harness.client.post(f"/gyms/{new_id()}/{word}", headers=admin), 404, "unknown_gym")


# What is about a gym as a whole; `{gym}` stands for its id.
READ_BY_STAFF = [
    *("/gyms/{gym}", "/gyms/{gym}/occupancy", "/gyms/{gym}/opening-hours", "/gyms/{gym}/machines"),
    *("/gyms/{gym}/inside", "/gyms/{gym}/inside.html", "/gyms/{gym}/inside.csv", "/gyms/{gym}/inside.pdf"),
    *("/gyms/{gym}/scans", "/gyms/{gym}/visits", "/gyms/{gym}/head-counts", "/gyms/{gym}/conflicts"),
    *("/gyms/{gym}/gates", "/gyms/{gym}/devices", "/gyms/{gym}/service-level", "/gyms/{gym}/machine-labels.pdf"),
]


def test_every_call_that_reads_a_gym_is_tried_on_a_retired_one() -> None:
    of_a_gym = {path.format(gym_id="{gym}") for method, path in RIGHTS if method == "GET" and "{gym_id}" in path}
    assert set(READ_BY_STAFF) == of_a_gym


@pytest.mark.parametrize("path", READ_BY_STAFF)
async def test_a_retired_gym_stays_readable_for_staff(harness: Harness, path: str) -> None:
    at = harness.gym_with_gate()
    await harness.scan(at, harness.world.member())
    harness.world.machine(at.gym)
    staff = harness.bearer(Role.STAFF)
    url = path.format(gym=at.gym)
    before = await harness.client.get(url, headers=staff)
    harness.world.change_gym(at.gym, retired_at=harness.world.clock.now)
    after = await harness.client.get(url, headers=staff)
    assert (before.status_code, after.status_code) == (200, 200), after.text
    if path.endswith((".pdf", ".html")):  # with the time of their making in them
        assert after.headers["content-type"] == before.headers["content-type"]
    elif path == "/gyms/{gym}":
        assert after.json() == before.json() | {"retired_at": "2026-03-02T12:00:00Z"}
    else:
        assert after.content == before.content


@pytest.mark.parametrize("path", ["", "/occupancy", "/opening-hours"])
async def test_a_retired_gym_is_there_for_its_devices_which_let_people_out(harness: Harness, path: str) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member)
    harness.world.change_gym(at.gym, retired_at=harness.world.clock.now)
    assert (await harness.client.get(f"/gyms/{at.gym}{path}", headers=at.headers)).status_code == 200
    assert (await harness.scan(at, member, direction="leave")).json()["outcome"] == "left"


@pytest.mark.parametrize("path", ["", "/occupancy", "/opening-hours", "/machines"])
async def test_a_retired_gym_is_not_there_for_members(harness: Harness, path: str) -> None:
    at = harness.gym_with_gate()
    harness.world.change_gym(at.gym, retired_at=harness.world.clock.now)
    answer = await harness.client.get(f"/gyms/{at.gym}{path}", headers=harness.bearer(Role.USER))
    assert_problem(answer, 404, "unknown_gym")


async def test_heads_are_counted_and_scans_annulled_at_a_retired_gym(harness: Harness) -> None:
    at, staff, (one, two) = harness.gym_with_gate(), harness.bearer(Role.STAFF), harness.world.members(2)
    for member in (one, two):
        await harness.scan(at, member, scan_id=str(member))
    harness.world.change_gym(at.gym, retired_at=harness.world.clock.now)
    annulled = await harness.client.post(f"/scans/{one}/annul", json={"reason": "no gym"}, headers=staff)
    assert annulled.json()["occupancy"] == 1
    body = {"counted": 0, "reason": "all have left"}
    counted = await harness.client.post(f"/gyms/{at.gym}/head-counts", json=body, headers=staff)
    assert (counted.json()["before"], counted.json()["occupancy"]) == (1, 0)
    admin = harness.bearer(Role.ADMIN)
    assert (await harness.client.post(f"/gyms/{at.gym}/retire", headers=admin)).status_code == 200


async def test_a_gym_that_was_never_used_can_be_removed_and_any_other_is_retired(harness: Harness) -> None:
    admin, used = harness.bearer(Role.ADMIN), harness.gym_with_gate()
    await harness.scan(used, "forged")
    refused = await harness.client.delete(f"/gyms/{used.gym}", headers=if_match(admin, "*"))
    assert "Retire it instead" in assert_problem(refused, 409, "gym_in_use")["detail"]
    unused = await made(harness, admin)
    await harness.client.post(f"/gyms/{unused['id']}/gates", json={"name": "Front", "serves": "both"}, headers=admin)
    harness.device(
        UUID((await harness.client.get(f"/gyms/{unused['id']}/gates", headers=admin)).json()["items"][0]["id"])
    )
    hours = {"hours": WEEK, "exceptions": [{"day": "2026-12-25", "closed": True}]}
    url = f"/gyms/{unused['id']}"
    await harness.client.put(f"{url}/opening-hours", json=hours, headers=if_match(admin, '"1"'))
    assert_problem(await harness.client.delete(url, headers=admin), 428, "precondition_required")
    assert_problem(await harness.client.delete(url, headers=if_match(admin, '"1"')), 412, "changed_meanwhile")
    assert (await harness.client.delete(url, headers=if_match(admin, '"2"'))).status_code == 204
    assert_problem(await harness.client.delete(url, headers=if_match(admin, '"2"')), 404, "unknown_gym")


async def test_opening_hours_are_read_as_they_were_set_and_the_door_keeps_to_them(harness: Harness) -> None:
    at, admin, user = harness.gym_with_gate(), harness.bearer(Role.ADMIN), harness.bearer(Role.USER)
    url = f"/gyms/{at.gym}/opening-hours"
    always = await harness.client.get(url, headers=at.headers)
    assert always.headers["etag"] == '"1"'
    assert always.json() == {
        "gym_id": str(at.gym),
        "time_zone": "Europe/Berlin",
        "hours": [],
        "exceptions": [],
        "open_now": True,
        "next_change": None,
    }
    exceptions = [
        {"day": "2026-03-02", "closed": False, "opens": "14:00", "closes": "26:00", "note": "Late"},
        {"day": "2026-12-25", "closed": True, "opens": None, "closes": None, "note": "Christmas"},
    ]
    wanted = {"hours": WEEK, "exceptions": exceptions}
    answer = await harness.client.put(url, json=wanted, headers=if_match(admin, '"1"'))
    assert answer.headers["etag"] == '"2"'
    assert answer.json() == always.json() | wanted | {"open_now": False, "next_change": "2026-03-02T13:00:00Z"}
    assert (await harness.client.get(url, headers=user)).json() == answer.json()
    member = harness.world.member()
    assert (await harness.scan(at, member)).json()["reason"] == "gym_closed", "at one in the afternoon"
    harness.world.clock.forward(3600)
    assert (await harness.scan(at, member)).json()["outcome"] == "entered"
    now = (await harness.client.get(url, headers=user)).json()
    assert (now["open_now"], now["next_change"]) == (True, "2026-03-03T01:00:00Z")
    stale = await harness.client.put(url, json={"hours": []}, headers=if_match(admin, '"1"'))
    assert_problem(stale, 412, "changed_meanwhile")
    assert_problem(await harness.client.put(url, json={"hours": []}, headers=admin), 428, "precondition_required")
    elsewhere = f"/gyms/{harness.world.gym()}/opening-hours"
    assert_problem(await harness.client.get(elsewhere, headers=at.headers), 403, "forbidden")
    nowhere = f"/gyms/{new_id()}/opening-hours"
    assert_problem(await harness.client.get(nowhere, headers=user), 404, "unknown_gym")
    missing = await harness.client.put(nowhere, json={"hours": []}, headers=if_match(admin, "*"))
    assert_problem(missing, 404, "unknown_gym")


@pytest.mark.parametrize(
    ("wanted", "code", "said"),
    [
        ({"hours": [WEEK[0], WEEK[0]]}, "hours_do_not_fit", "Join them"),
        ({"hours": [{"weekday": 0, "opens": "22:00", "closes": "02:00"}]}, "hours_do_not_fit", "26:00"),
        ({"hours": [{"weekday": 7, "opens": "06:00", "closes": "22:00"}]}, "invalid_request", "hours.0.weekday"),
        ({"hours": [{"weekday": 0, "opens": "24:00", "closes": "25:00"}]}, "invalid_request", "hours.0.opens"),
        ({"hours": [{"weekday": 0, "opens": "06:00", "closes": "48:01"}]}, "invalid_request", "hours.0.closes"),
        ({"hours": [], "exceptions": [{"day": "2026-02-30"}]}, "invalid_request", "exceptions.0.day"),
        ({"hours": [], "exceptions": [{"day": "9999-12-31", "closed": True}]}, "invalid_request", "exceptions.0.day"),
        ({"hours": [], "exceptions": [{"day": "2026-03-02"}]}, "invalid_request", "either `closed: true`"),
        (
            {"hours": [], "exceptions": [{"day": "2026-03-02", "closed": True, "opens": "06:00", "closes": "07:00"}]},
            "invalid_request",
            "either `closed: true`",
        ),
        ({}, "invalid_request", "hours"),
    ],
)
async def test_impossible_hours_are_refused_with_their_fix(
    harness: Harness, wanted: dict[str, Any], code: str, said: str
) -> None:
    admin = if_match(harness.bearer(Role.ADMIN), "*")
    answer = await harness.client.put(f"/gyms/{harness.world.gym()}/opening-hours", json=wanted, headers=admin)
    assert said in str(assert_problem(answer, 422, code))
