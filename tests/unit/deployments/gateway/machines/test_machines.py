"""Machines over HTTP: who puts them up, finds them, and says that they are out of order."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, insert, select

from domain.door.tables import machine_uses, open_machine_uses
from domain.identity.model import Role
from domain.ids import new_id
from domain.machines.tables import machines
from tests.sample_pictures import file_of, halves, opened
from tests.unit.deployments.harness import Harness, assert_problem
from tests.world import START

pytestmark = pytest.mark.anyio
PICTURE = file_of(halves())


async def put_up(harness: Harness, gym: UUID, /, **texts: str) -> httpx.Response:
    return await harness.client.post(
        f"/gyms/{gym}/machines",
        data={"name": "Bench", "type": "bench"} | texts,
        files={"image": ("bench.jpg", PICTURE, "image/jpeg")},
        headers=harness.bearer(Role.ADMIN),
    )


async def machine_of(harness: Harness, gym: UUID, /, **texts: str) -> dict[str, Any]:
    made = await put_up(harness, gym, **texts)
    assert made.status_code == 201, made.text
    machine: dict[str, Any] = made.json()
    return machine


def begin_use(harness: Harness, machine: dict[str, Any]) -> None:
    use, member, visit = new_id(), new_id(), new_id()
    with harness.world.store.writing() as connection:
        same = {"machine_id": UUID(machine["id"]), "gym_id": UUID(machine["gym_id"]), "member_id": member}
        connection.execute(insert(machine_uses).values(id=use, visit_id=visit, started_at=START, **same))
        connection.execute(insert(open_machine_uses).values(use_id=use, visit_id=visit, started_at=START, **same))


def end_uses(harness: Harness) -> None:
    with harness.world.store.writing() as connection:
        connection.execute(delete(open_machine_uses))


async def names(harness: Harness, gym: UUID, question: str = "") -> list[str]:
    answer = await harness.client.get(f"/gyms/{gym}/machines{question}", headers=harness.bearer(Role.USER))
    assert answer.status_code == 200, answer.text
    return [machine["name"] for machine in answer.json()["items"]]


async def test_a_machine_is_put_up_with_its_picture(harness: Harness) -> None:
    gym = harness.world.gym()
    made = await put_up(harness, gym, name=" Bench \n", description="To lie on.")
    machine = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/machines/{machine['id']}"
    assert made.headers["etag"] == '"1"'
    assert machine | {"id": "", "image_url": ""} == {
        "id": "",
        "gym_id": str(gym),
        "number": 1,
        "name": "Bench",
        "type": "bench",
        "description": "To lie on.",
        "image_url": "",
        "in_use": False,
        "free": True,
        "out_of_order": None,
        "retired_at": None,
        "version": 1,
        "created_at": "2026-03-02T12:00:00Z",
    }
    again = await harness.client.get(f"/machines/{machine['id']}", headers=harness.bearer(Role.USER))
    assert (again.json(), again.headers["etag"]) == (machine, '"1"')
    assert [key.split("/")[0] for key in harness.images.kept()] == ["images", "images"]


async def test_numbers_go_on_over_all_gyms(harness: Harness) -> None:
    gyms = [harness.world.gym(), harness.world.gym()]
    assert [(await machine_of(harness, gym))["number"] for gym in (*gyms, *gyms)] == [1, 2, 3, 4]


async def test_a_gym_that_is_not_in_operation_gets_no_machine(harness: Harness) -> None:
    retired = harness.world.gym()
    harness.world.change_gym(retired, retired_at=START)
    for gym in (retired, new_id()):
        assert_problem(await put_up(harness, gym), 404, "unknown_gym")
        answer = await harness.client.get(f"/gyms/{gym}/machines", headers=harness.bearer(Role.USER))
        assert_problem(answer, 404, "unknown_gym")
    assert harness.images.kept() == []


async def test_texts_have_their_lengths(harness: Harness) -> None:
    gym = harness.world.gym()
    wrong = {"name": ("", "x" * 101), "type": (" ", "x" * 51), "description": ("x" * 4001,)}
    for field, values in wrong.items():
        for value in values:
            problem = assert_problem(await put_up(harness, gym, **{field: value}), 422, "invalid_request")
            assert [fault["field"] for fault in problem["fields"]] == [field]
    assert harness.images.kept() == []


async def test_machines_are_listed_by_type_and_whether_they_are_free(harness: Harness) -> None:
    gym = harness.world.gym()
    found = {
        name: await machine_of(harness, gym, name=name, type=kind)
        for name, kind in [("A", "bench"), ("B", "Bench"), ("C", "treadmill"), ("D", "treadmill")]
    }
    begin_use(harness, found["A"])
    admin = harness.bearer(Role.ADMIN)
    broken = await harness.client.put(
        f"/machines/{found['C']['id']}/out-of-order", json={"reason": "squeaks"}, headers=harness.bearer(Role.STAFF)
    )
    assert broken.json()["out_of_order"] == {"since": "2026-03-02T12:00:00Z", "reason": "squeaks"}
    await harness.client.post(f"/machines/{found['D']['id']}/retire", headers=admin)
    assert await names(harness, gym) == ["A", "B", "C"]
    assert await names(harness, gym, "?retired=true") == ["A", "B", "C", "D"]
    assert await names(harness, gym, "?type=BENCH") == ["A", "B"]
    assert await names(harness, gym, "?free=true") == ["B"]
    assert await names(harness, gym, "?free=false") == ["A", "C"]
    assert await names(harness, gym, "?type=treadmill&free=true&retired=true") == []
    one = await harness.client.get(f"/machines/{found['A']['id']}", headers=harness.bearer(Role.USER))
    assert (one.json()["in_use"], one.json()["free"]) == (True, False)


async def test_a_list_goes_on_where_it_ended(harness: Harness) -> None:
    gym = harness.world.gym()
    for name in "ABC":
        await machine_of(harness, gym, name=name)
    headers = harness.bearer(Role.USER)
    first = (await harness.client.get(f"/gyms/{gym}/machines?limit=2", headers=headers)).json()
    rest = (await harness.client.get(f"/gyms/{gym}/machines?limit=2&after={first['next']}", headers=headers)).json()
    assert [one["name"] for one in first["items"] + rest["items"]] == ["A", "B", "C"]
    assert rest["next"] is None


async def test_an_edit_takes_the_version_that_it_began_with(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym(), description="Old.")
    url, admin = f"/machines/{machine['id']}", harness.bearer(Role.ADMIN)

    async def edit(expected: str | None, **changes: str | None) -> httpx.Response:
        return await harness.client.patch(
            url, json=changes, headers=admin | ({"If-Match": expected} if expected else {})
        )

    assert_problem(await edit(None, name="X"), 428, "precondition_required")
    first = await edit('"1"', name="First")
    assert (first.json()["name"], first.json()["description"], first.headers["etag"]) == ("First", "Old.", '"2"')
    for stale in ('"1"', '"9"'):
        assert_problem(await edit(stale, name="Late"), 412, "changed_meanwhile")
    for nothing in ('"two"', "2"):
        assert_problem(await edit(nothing, name="Late"), 422, "invalid_request")
    assert (await edit("*", description="")).json()["description"] == ""
    same = await edit('"3"', name="First", type=None)
    assert (same.status_code, same.headers["etag"]) == (200, '"3"')
    assert_problem(await edit('"3"', name=""), 422, "invalid_request")
    unknown = await harness.client.patch(f"/machines/{new_id()}", json={}, headers=admin | {"If-Match": "*"})
    assert_problem(unknown, 404, "unknown_machine")


async def test_out_of_order_is_set_with_a_reason_and_cleared(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    url, staff = f"/machines/{machine['id']}/out-of-order", harness.bearer(Role.STAFF)
    assert_problem(await harness.client.put(url, json={"reason": " "}, headers=staff), 422, "invalid_request")
    await harness.client.put(url, json={"reason": "squeaks"}, headers=staff)
    harness.world.clock.forward(60)
    again = await harness.client.put(url, json={"reason": "fell over"}, headers=staff)
    assert again.json()["out_of_order"] == {"since": "2026-03-02T12:00:00Z", "reason": "fell over"}
    for _ in range(2):
        cleared = await harness.client.delete(url, headers=staff)
        assert (cleared.json()["out_of_order"], cleared.json()["version"]) == (None, 4)


async def test_a_machine_retires_and_comes_back(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    url, admin = f"/machines/{machine['id']}", harness.bearer(Role.ADMIN)
    for _ in range(2):
        retired = await harness.client.post(f"{url}/retire", headers=admin)
        assert (retired.json()["retired_at"], retired.json()["free"]) == ("2026-03-02T12:00:00Z", False)
        harness.world.clock.forward(60)
    assert (await harness.client.get(url, headers=harness.bearer(Role.USER))).json()["version"] == 2
    back = await harness.client.post(f"{url}/reopen", headers=admin)
    assert (back.json()["retired_at"], back.json()["free"]) == (None, True)


async def test_a_machine_is_deleted_once_it_is_free_and_its_past_stays(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    url, admin = f"/machines/{machine['id']}", harness.bearer(Role.ADMIN)
    begin_use(harness, machine)
    assert_problem(await harness.client.delete(url, headers=admin), 428, "precondition_required")
    assert_problem(await harness.client.delete(url, headers=admin | {"If-Match": '"7"'}), 412, "changed_meanwhile")
    admin |= {"If-Match": '"1"'}
    assert_problem(await harness.client.delete(url, headers=admin), 409, "machine_in_use")
    end_uses(harness)
    assert (await harness.client.delete(url, headers=admin)).status_code == 204
    assert_problem(await harness.client.delete(url, headers=admin), 404, "unknown_machine")
    with harness.world.store.reading() as connection:
        assert connection.execute(select(machines)).all() == []
        assert len(connection.execute(select(machine_uses)).all()) == 1


async def test_labels_are_pictures_and_sheets(harness: Harness) -> None:
    gym = harness.world.gym()
    machine = await machine_of(harness, gym)
    staff = harness.bearer(Role.STAFF)
    picture = await harness.client.get(f"/machines/{machine['id']}/qr.png", headers=staff)
    assert opened(picture.content).format == "PNG"
    sheets = await harness.client.get(f"/gyms/{gym}/machine-labels.pdf", headers=staff)
    assert sheets.headers["content-type"] == "application/pdf"
    assert sheets.content.startswith(b"%PDF")
    assert_problem(await harness.client.get(f"/gyms/{new_id()}/machine-labels.pdf", headers=staff), 404, "unknown_gym")
    assert_problem(await harness.client.get(f"/machines/{new_id()}/qr.png", headers=staff), 404, "unknown_machine")
