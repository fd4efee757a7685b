"""A gym from its opening on, at the running system: hours, a paired door, machines, head counts, a door cut off."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
import zxingcpp
from PIL import Image

from tests.e2e.api import Api, Gate


@dataclass(frozen=True)
class NewGym:
    """A gym that was opened by the interface alone, with a door that was paired."""

    id: str
    gate: Gate


@pytest.fixture(scope="module")
def gym(stack: Api, admin: dict[str, str]) -> NewGym:
    wanted = {"name": "Lakeside", "address": "Quay 7", "time_zone": "Europe/Berlin", "capacity": 20}
    made = stack.client.post("/gyms", json=wanted, headers=admin)
    assert made.status_code == 201, made.text
    gym_id, path = made.json()["id"], f"/gyms/{made.json()['id']}"
    hours = {"hours": [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(7)]}
    version = {"If-Match": made.headers["etag"]}
    assert stack.client.put(f"{path}/opening-hours", json=hours, headers=admin | version).status_code == 200
    stale = stack.client.patch(path, json={"capacity": 5}, headers=admin | version)
    assert (stale.status_code, stale.json()["code"]) == (412, "changed_meanwhile")
    gate = stack.client.post(f"{path}/gates", json={"name": "Door", "serves": "both"}, headers=admin).json()
    offered = stack.client.post(f"/gates/{gate['id']}/pairings", json={"name": "Tablet"}, headers=admin).json()
    claimed = stack.client.post("/pairings/claim", json={"code": offered["code"]})
    assert claimed.status_code == 201, claimed.text
    again = stack.client.post("/pairings/claim", json={"code": offered["code"]})
    assert again.json()["code"] == "unknown_pairing"
    return NewGym(gym_id, Gate(gym_id, gate["id"], claimed.json()["credential"]))


def scan(stack: Api, gym: NewGym, member: dict[str, str], direction: str) -> dict[str, Any]:
    body = gym.gate.scan(stack.codes(member)[0], direction=direction)
    answer: dict[str, Any] = stack.client.post("/scans", json=body, headers=gym.gate.headers).json()
    return answer


def photograph() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((900, 700), 60).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def upload(stack: Api, gym: NewGym, admin: dict[str, str], image: bytes) -> httpx.Response:
    return stack.client.post(
        f"/gyms/{gym.id}/machines",
        data={"name": "Rower 1", "type": "rower", "description": "By the window"},
        files={"image": ("rower.jpg", image, "image/jpeg")},
        headers=admin,
    )


def test_a_machine_with_its_picture_is_used_until_its_member_leaves(
    stack: Api, admin: dict[str, str], gym: NewGym
) -> None:
    member = stack.bearer(stack.member())
    refused = upload(stack, gym, admin, b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert (refused.status_code, refused.json()["code"]) == (422, "image_unreadable")
    made = upload(stack, gym, admin, photograph())
    assert made.status_code == 201, made.text
    machine, path = made.json(), f"/machines/{made.json()['id']}"
    shown = stack.client.get(f"{path}/image?size=small", headers=member)
    assert Image.open(io.BytesIO(shown.content)).size == (320, 249)
    again = stack.client.get(f"{path}/image?size=small", headers=member | {"If-None-Match": shown.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    label = stack.client.get(f"{path}/qr.png", headers=admin)
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(label.content)))
    assert code.text == f"{stack.url}/machines/{machine['id']}"
    assert stack.client.post(f"{path}/use", headers=member).json()["reason"] == "not_inside"
    assert scan(stack, gym, member, "enter")["outcome"] == "entered"
    used = stack.client.post(f"{path}/use", json={"request_id": "first"}, headers=member).json()
    assert used["outcome"] == "used"
    repeated = stack.client.post(f"{path}/use", json={"request_id": "first"}, headers=member).json()
    assert repeated == used | {"replayed": True}
    busy = stack.client.delete(path, headers=admin | {"If-Match": "*"})
    assert (busy.status_code, busy.json()["code"]) == (409, "machine_in_use")
    assert scan(stack, gym, member, "leave")["outcome"] == "left"
    assert stack.client.get(path, headers=member).json()["free"]
    assert stack.client.delete(path, headers=admin | {"If-Match": "*"}).status_code == 204


def test_heads_are_counted_and_the_roll_is_called(stack: Api, admin: dict[str, str], gym: NewGym) -> None:
    member = stack.bearer(stack.member())
    assert scan(stack, gym, member, "enter")["outcome"] == "entered"
    path = f"/gyms/{gym.id}"
    counted = stack.client.post(f"{path}/head-counts", json={"counted": 3, "reason": "drill"}, headers=admin).json()
    assert (counted["before"], counted["added"], counted["occupancy"]) == (1, 2, 3)
    listed = stack.client.get(f"{path}/inside.csv", headers=admin)
    assert len(listed.text.splitlines()) == 4
    assert stack.client.get(f"{path}/inside.pdf", headers=admin).content.startswith(b"%PDF")
    emptied = stack.client.post(f"{path}/head-counts", json={"counted": 0, "reason": "closed"}, headers=admin).json()
    assert (emptied["closed"], emptied["occupancy"]) == (3, 0)
    newest = stack.client.get(f"{path}/visits?limit=3", headers=admin).json()["items"]
    assert {visit["inferred"] for visit in newest} == {"head_count"}


def test_what_a_door_did_while_it_was_cut_off_is_recorded(stack: Api, admin: dict[str, str], gym: NewGym) -> None:
    member = stack.bearer(stack.member())
    codes = stack.codes(member, 2)
    kept_keys = stack.client.get("/pass-keys", headers=gym.gate.headers).json()["keys"]
    keys = jwt.PyJWKSet.from_dict({"keys": kept_keys})
    for code in codes:  # as a door reads them by itself
        key = keys[jwt.get_unverified_header(code)["kid"]]
        assert jwt.decode(code, key, algorithms=["EdDSA"], options={"verify_iat": False})["sub"]
    now = datetime.now(UTC)
    kept = [
        {
            "code": code,
            "gate_id": gym.gate.id,
            "direction": direction,
            "scan_id": str(uuid4()),
            "scanned_at": (now + timedelta(seconds=number)).isoformat(),
        }
        for number, (code, direction) in enumerate(zip(codes, ("enter", "leave"), strict=True))
    ]
    wrong = kept[0] | {"scan_id": str(uuid4()), "code": "nonsense"}
    for scans in ([kept[1], wrong], [kept[1], kept[0]], kept):
        answer = stack.client.post("/scans/offline", json={"scans": scans}, headers=gym.gate.headers)
        assert answer.status_code == 202
        assert {item["status"] for item in answer.json()["items"]} == {"recorded"}
    conflicts = stack.client.get(f"/gyms/{gym.id}/conflicts", headers=admin).json()["items"]
    assert [conflict["kind"] for conflict in conflicts] == ["unknown_pass"]
    visits = stack.client.get(f"/gyms/{gym.id}/visits?limit=1", headers=admin).json()["items"]
    assert [(visit["inferred"], visit["left_at"] is None) for visit in visits] == [(None, False)]
    assert stack.client.get(f"/gyms/{gym.id}/occupancy", headers=admin).json()["occupancy"] == 0
