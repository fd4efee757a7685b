"""Each gym and machine call of the existing web client, row by row as its contract says."""

import io
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image

from domain.identity.model import Role
from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.harness import GymWithGate, assert_problem

pytestmark = pytest.mark.anyio

NOBODY = "00000000-0000-0000-0000-000000000000"
FORM = {"name": "Rower", "description": "Blue", "available": "true"}


def drawn() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, "JPEG")
    return file.getvalue()


def user(stage: Stage, *roles: Role, user_id: Any = None) -> dict[str, str]:  # noqa: ANN401 - an id, if any
    return {"Authorization": f"Bearer {stage.tokens.give(*(roles or [Role.USER]), user_id=user_id)}"}


async def create(stage: Stage, headers: dict[str, str], **changes: str) -> httpx.Response:
    files = {"image": ("holiday.svg", drawn(), "text/plain")}  # neither name nor type is believed
    return await stage.client.post("/api/gyms/machine", data=FORM | changes, files=files, headers=headers)


async def made(stage: Stage, **changes: str) -> dict[str, Any]:
    answer = await create(stage, user(stage, Role.USER, Role.ADMIN), **changes)
    assert answer.status_code == 200, answer.text
    machine: dict[str, Any] = answer.json()
    return machine


def opened(stage: Stage, capacity: int = 9) -> GymWithGate:
    return stage.harness.gym_with_gate(capacity=capacity)


async def test_a_gym_is_shown_and_who_is_inside_to_staff_alone(stage: Stage) -> None:
    at = opened(stage)
    member = stage.harness.world.member()
    await stage.harness.scan(at, member)
    shown = {"gymId": 1, "gymName": "Gym", "capacity": 9, "occupancy": 1, "usersInGym": []}
    assert (await stage.client.get("/api/gyms?id=1", headers=user(stage))).json() == shown
    staff = user(stage, Role.USER, Role.ADMIN, Role.STAFF)
    assert (await stage.client.get("/api/gyms?id=1", headers=staff)).json() == shown | {"usersInGym": [str(member)]}
    answer = await stage.client.get("/api/gyms/occupancy?id=1", headers=user(stage))
    assert (answer.text, answer.headers["content-type"]) == ("1", "application/json")
    for path in ("/api/gyms?id=2", "/api/gyms/occupancy?id=2"):
        assert_problem(await stage.client.get(path, headers=user(stage)), 404, "unknown_gym")
    assert_problem(await stage.client.get("/api/gyms?id=one", headers=user(stage)), 422, "invalid_request")


async def test_a_machine_is_made_listed_shown_and_deleted(stage: Stage) -> None:
    opened(stage)
    admin = user(stage, Role.USER, Role.ADMIN)
    first = await made(stage)
    image = first.pop("imagePath")
    assert first == {"id": 1, "name": "Rower", "description": "Blue", "available": True, "userSub": None, "gym": 1}
    second = await made(stage, available="false")
    assert second["available"] is False
    listed = (await stage.client.get("/api/gyms/machine/all", headers=user(stage))).json()
    assert [(one["id"], one["available"]) for one in listed] == [(1, True), (2, False)]
    assert (await stage.client.get("/api/gyms/machine?id=2", headers=admin)).json()["id"] == 2
    assert (await stage.client.get("/api/gyms/machine?id=7", headers=admin)).json() is None
    for path in (image, f"uploads/{image}"):
        shown = await stage.client.get("/api/gyms/machine/image", params={"imagePath": path}, headers=user(stage))
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert Image.open(io.BytesIO(shown.content)).size == (40, 30)
    for path in ("../../etc/passwd", "0" * 64):
        missing = await stage.client.get("/api/gyms/machine/image", params={"imagePath": path}, headers=user(stage))
        assert_problem(missing, 404, "unknown_image")
    gone = await stage.client.delete("/api/gyms/machine?id=1", headers=admin)
    assert gone.json() == first | {"imagePath": image}
    assert_problem(await stage.client.delete("/api/gyms/machine?id=1", headers=admin), 404, "unknown_machine")


async def test_a_machine_without_name_picture_or_a_gym_is_not_made(stage: Stage) -> None:
    admin = user(stage, Role.USER, Role.ADMIN)
    assert_problem(await create(stage, admin), 404, "unknown_gym")
    opened(stage)
    wrong = await create(stage, admin, name=" ", available="perhaps")
    faults = {fault["field"] for fault in assert_problem(wrong, 422, "invalid_request")["fields"]}
    assert faults == {"name", "available"}
    no_picture = await stage.client.post("/api/gyms/machine", data=FORM, files={"other": ("a", b"b")}, headers=admin)
    assert_problem(no_picture, 422, "invalid_request")
    assert (await stage.client.get("/api/gyms/machine/all", headers=admin)).json() == []


async def wish(stage: Stage, headers: dict[str, str], machine: int, intention: str) -> str:
    body = {"machineId": machine, "intention": intention}
    answer = await stage.client.post("/api/qr/machine", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.text


async def test_a_machine_is_used_and_left_with_the_words_of_the_contract(stage: Stage) -> None:
    at = opened(stage)
    one, other = stage.harness.world.members(2)
    first, second = user(stage, user_id=one), user(stage, user_id=other)
    for _ in range(2):
        await made(stage)
    assert await wish(stage, first, 1, "use") == "User not in gym"
    for member in (one, other):
        await stage.harness.scan(at, member)
    assert await wish(stage, first, 1, "use") == "True"
    assert await wish(stage, first, 2, "use") == "User already using a machine"
    assert await wish(stage, second, 1, "use") == "False"
    assert await wish(stage, second, 1, "leave") == "False"
    assert await wish(stage, second, 7, "use") == "False"
    own = await stage.client.get("/api/gyms/machine/user", params={"userSub": str(one)}, headers=first)
    assert (own.json()["id"], own.json()["userSub"], own.json()["available"]) == (1, str(one), False)
    anothers = await stage.client.get("/api/gyms/machine/user", params={"userSub": str(one)}, headers=second)
    assert_problem(anothers, 403, "forbidden")
    nothing = await stage.client.get("/api/gyms/machine/user", params={"userSub": str(other)}, headers=second)
    assert nothing.json() is None
    listed = (await stage.client.get("/api/gyms/machine/all", headers=second)).json()
    assert [(machine["available"], machine["userSub"]) for machine in listed] == [(False, NOBODY), (True, None)]
    in_use = await stage.client.delete("/api/gyms/machine?id=1", headers=user(stage, Role.USER, Role.ADMIN))
    assert_problem(in_use, 409, "machine_in_use")
    assert await wish(stage, first, 1, "leave") == "True"
    assert await wish(stage, first, 1, "leave") == "False"
    body = {"machineId": 1, "intention": "borrow"}
    answer = await stage.client.post("/api/qr/machine", json=body, headers=first)
    assert_problem(answer, 422, "invalid_request")
    stage.harness.commands.silent = True
    body["intention"] = "use"
    assert_problem(await stage.client.post("/api/qr/machine", json=body, headers=first), 503, "no_answer_in_time")


async def test_another_s_use_is_seen_by_all_members_alike_and_names_nobody(stage: Stage) -> None:
    at = opened(stage)
    members = stage.harness.world.members(3)
    headers = [user(stage, user_id=member) for member in members]
    for member in members:
        await stage.harness.scan(at, member)
        await made(stage)

    async def seen_by(asking: dict[str, str]) -> list[tuple[str | None, bool]]:
        listed = (await stage.client.get("/api/gyms/machine/all", headers=asking)).json()
        return [(machine["userSub"], machine["available"]) for machine in listed]

    for number in (0, 1):
        assert await wish(stage, headers[number], number + 1, "use") == "True"
    one, two = (str(member) for member in members[:2])
    free, nobody_told = (None, True), (NOBODY, False)
    assert await seen_by(headers[0]) == [(one, False), nobody_told, free]
    assert await seen_by(headers[1]) == [nobody_told, (two, False), free]
    assert await seen_by(headers[2]) == [nobody_told, nobody_told, free]
    assert await seen_by(user(stage, Role.USER, Role.ADMIN)) == [(one, False), (two, False), free]
    # It leads to nobody's machine, and the same member cannot be told from another tomorrow or at another machine.
    asked = {"userSub": NOBODY}
    answer = await stage.client.get("/api/gyms/machine/user", params=asked, headers=user(stage, Role.USER, Role.STAFF))
    assert answer.json() is None
    assert_problem(await stage.client.get("/api/gyms/machine/user", params=asked, headers=headers[2]), 403, "forbidden")
    assert await wish(stage, headers[0], 1, "leave") == "True"
    stage.harness.world.clock.forward(60)
    assert await wish(stage, headers[0], 3, "use") == "True"
    assert await seen_by(headers[2]) == [free, nobody_told, nobody_told]


async def test_a_machine_s_code_holds_its_number(stage: Stage) -> None:
    opened(stage)
    await made(stage)
    answer = await stage.client.post("/api/qr/generate-machine", json={"machineId": 1}, headers=user(stage))
    assert answer.headers["content-type"] == "image/png"
    assert [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.content)))] == ["1"]
    unknown = await stage.client.post("/api/qr/generate-machine", json={"machineId": 2}, headers=user(stage))
    assert unknown.status_code == 400


async def test_who_is_not_admin_changes_no_machine(stage: Stage) -> None:
    opened(stage)
    await made(stage)
    for headers in (user(stage), user(stage, Role.USER, Role.STAFF)):
        assert_problem(await create(stage, headers), 403, "forbidden")
        for method in ("GET", "DELETE"):
            answer = await stage.client.request(method, "/api/gyms/machine?id=1", headers=headers)
            assert_problem(answer, 403, "forbidden")
    assert_problem(await stage.client.get("/api/gyms?id=1"), 401, "unauthenticated")
