"""The running system, from outside: Serve, HAProxy, Kafka's stand-in, consumer and store."""

import io
import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
import zxingcpp
from PIL import Image

from tests.e2e.api import Api, Gate
from tests.e2e.commands import Commands

_DOORS = 32


def test_all_services_are_ready_and_the_documentation_is_served(stack: Api) -> None:
    ready = stack.client.get("/ready").json()
    assert ready["ready"]
    assert set(ready["parts"]) == {"gym", "database", "qr", "scans", "kafka_replies", "payments"}
    assert stack.client.get("/health").json() == {"alive": True}
    assert "FIT Monitor" in stack.client.get("/docs").text
    assert stack.client.get("/openapi.json").json()["servers"] == [{"url": "/api"}]


@pytest.fixture
def gate(stack: Api) -> Gate:
    """Of a gym that no other test has."""
    return stack.gates()[0]


def test_a_picture_goes_through_every_part_and_comes_back_small(
    stack: Api, admin: dict[str, str], gate: Gate, fm: Commands
) -> None:
    gym = gate.gym
    # Large enough to arrive in many pieces, and to be made anew by a part that never saw the request.
    noise = Image.frombytes("RGB", (1000, 700), os.urandom(2_100_000))
    file = io.BytesIO()
    noise.save(file, "PNG")
    form = {"data": {"name": "Rower", "type": "rower"}, "files": {"image": file.getvalue()}}
    made = stack.client.post(f"/gyms/{gym}/machines", headers=admin, timeout=25, **form)  # type: ignore[arg-type]
    assert made.status_code == 201, made.text
    member = stack.bearer(stack.member())
    shown = stack.client.get(f"/machines/{made.json()['id']}/image?size=small", headers=member)
    assert Image.open(io.BytesIO(shown.content)).size == (320, 224)
    again = stack.client.get(
        f"/machines/{made.json()['id']}/image?size=small", headers=member | {"If-None-Match": shown.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    too_large = stack.client.post(
        f"/gyms/{gym}/machines", headers=admin, data={"name": "x", "type": "x"}, files={"image": b"x" * 9_000_000}
    )
    assert (too_large.status_code, too_large.json()["code"]) == (413, "image_too_large")
    assert fm.said("images", "sweep").startswith("0 deleted")


def test_a_member_comes_in_and_everybody_sees_what_is_theirs(stack: Api, admin: dict[str, str], gate: Gate) -> None:
    member = stack.bearer(stack.member())
    before = stack.client.get(f"/gyms/{gate.gym}/occupancy", headers=gate.headers).json()["occupancy"]
    scan = gate.scan(stack.codes(member)[0])
    answer = stack.client.post("/scans", json=scan, headers=gate.headers)
    assert answer.json()["outcome"] == "entered", answer.text
    assert answer.json()["occupancy"] == before + 1
    repeated = stack.client.post("/scans", json=scan, headers=gate.headers).json()
    assert repeated == answer.json() | {"replayed": True}
    kept = stack.client.get(f"/scans/{scan['scan_id']}", headers=gate.headers).json()
    assert kept == repeated | {"annulled": None}
    me = stack.client.get("/me", headers=member).json()
    inside = stack.client.get(f"/gyms/{gate.gym}/inside?limit=200", headers=admin).json()["items"]
    assert [one["name"] for one in inside if one["member_id"] == me["id"]] == [me["name"]]
    listed = stack.client.get(f"/gyms/{gate.gym}/scans?member={me['id']}", headers=admin).json()["items"]
    assert [one["scan_id"] for one in listed] == [scan["scan_id"]]
    visits = stack.client.get("/me/visits", headers=member).json()["items"]
    assert visits[0]["gym_id"] == gate.gym
    assert visits[0]["left_at"] is None
    undone = stack.client.post(f"/scans/{scan['scan_id']}/annul", json={}, headers=gate.headers)
    assert (undone.status_code, undone.json()["occupancy"]) == (200, before)
    assert stack.client.get("/me/visits", headers=member).json()["items"] == visits[1:]
    again = stack.client.post("/scans", json=gate.scan(scan["code"]), headers=gate.headers)
    assert again.json()["outcome"] == "entered", "after an annulment the pass is as good as new"


def test_the_picture_of_a_pass_opens_a_gate(stack: Api, gate: Gate) -> None:
    member = stack.bearer(stack.member())
    picture = Image.open(io.BytesIO(stack.client.get("/me/pass.png", headers=member).content))
    (code,) = zxingcpp.read_barcodes(picture)
    answer = stack.client.post("/scans", json=gate.scan(code.text), headers=gate.headers)
    assert answer.json()["outcome"] == "entered", answer.text
    assert stack.client.get("/me/pass.svg", headers=member).headers["content-type"] == "image/svg+xml"


def test_one_gyms_device_is_nothing_at_another(stack: Api, gate: Gate) -> None:
    here, there = gate, stack.gates()[0]
    answer = stack.client.post("/scans", json=there.scan("x"), headers=here.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "gate_of_another_gym")
    assert stack.client.get(f"/gyms/{there.gym}", headers=here.headers).status_code == 403


def test_a_new_device_works_at_once_and_a_revoked_one_no_longer_than_5_s(
    stack: Api, admin: dict[str, str], gate: Gate
) -> None:
    made = stack.client.post(f"/gates/{gate.id}/devices", json={"name": "Spare"}, headers=admin).json()
    spare = Gate(gate.gym, gate.id, made["credential"])
    assert stack.client.post("/scans", json=spare.scan("x"), headers=spare.headers).status_code == 200
    assert stack.client.delete(f"/devices/{made['id']}", headers=admin).status_code == 204
    revoked_at = asked_at = time.monotonic()
    while stack.client.post("/scans", json=spare.scan("x"), headers=spare.headers).status_code != 401:
        assert asked_at - revoked_at < 5
        time.sleep(0.1)
        asked_at = time.monotonic()


def test_many_doors_at_once_are_all_answered(stack: Api, gate: Gate) -> None:
    def scan(_: int) -> str:
        wanted, give_up = gate.scan("x"), time.monotonic() + 60
        while (answer := stack.client.post("/scans", json=wanted, headers=gate.headers)).status_code == 503:
            # As a door does: a machine that is busy with something else may not answer within the scan's second.
            assert time.monotonic() < give_up
            time.sleep(float(answer.headers["retry-after"]))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["scan_id"])

    with ThreadPoolExecutor(_DOORS) as doors:
        assert len(set(doors.map(scan, range(200)))) == 200


def test_a_client_that_hangs_up_finds_its_scan_decided(stack: Api, gate: Gate) -> None:
    scan = gate.scan("x")
    body = json.dumps(scan).encode()
    with socket.create_connection(("127.0.0.1", stack.port)) as connection:
        connection.sendall(
            b"POST /api/scans HTTP/1.1\r\nHost: gym\r\nContent-Type: application/json\r\n"
            + f"Authorization: Device {gate.device}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
    give_up = time.monotonic() + 5
    while (kept := stack.client.get(f"/scans/{scan['scan_id']}", headers=gate.headers)).status_code == 404:
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert kept.json()["outcome"] == "refused"


def _problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


def test_every_error_has_the_same_shape(stack: Api, gate: Gate) -> None:
    client, headers = stack.client, gate.headers
    as_json = headers | {"Content-Type": "application/json"}
    big = b" " * 70_000
    problems = [
        (client.get("/nothing"), (404, "not_found")),
        (client.get("/scans"), (405, "method_not_allowed")),
        (client.get("/me"), (401, "unauthenticated")),
        (client.get("/me", headers={"Authorization": "Bearer forged"}), (401, "unauthenticated")),
        (client.get("/me", headers=headers), (403, "forbidden")),
        (client.get("/scans/unknown", headers=headers), (404, "unknown_scan")),
        (client.post("/scans", content=b"{", headers=as_json), (400, "malformed_request")),
        (client.post("/scans", json={}, headers=headers), (422, "invalid_request")),
        (client.post("/scans", content=b"{}", headers=headers), (415, "unsupported_media_type")),
        (client.post("/scans", content=big, headers=as_json), (413, "body_too_large")),
        (client.post("/scans", content=iter([big]), headers=as_json), (413, "body_too_large")),
        (client.post("/scans", json=gate.scan("x", "s" * 65), headers=headers), (422, "invalid_request")),
        (
            client.post("/scans", json=gate.scan("x") | {"gate_id": str(uuid4())}, headers=headers),
            (404, "unknown_gate"),
        ),
        (client.post("/scans/x/annul", content=b"{", headers=as_json), (400, "malformed_request")),
    ]
    assert [_problem(answer) for answer, _ in problems] == [expected for _, expected in problems]


def test_a_scan_id_with_a_slash_is_found_and_undone(stack: Api, gate: Gate) -> None:
    name = f"door/1 {uuid4()}".replace(" ", "#")
    assert stack.client.post("/scans", json=gate.scan("x", name), headers=gate.headers).status_code == 200
    url = "/scans/" + name.replace("/", "%2F").replace("#", "%23")
    assert stack.client.get(url, headers=gate.headers).json()["scan_id"] == name
    assert stack.client.post(f"{url}/annul", json={}, headers=gate.headers).json()["scan_id"] == name


def test_a_request_id_goes_in_and_out(stack: Api) -> None:
    assert stack.client.get("/health", headers={"X-Request-Id": "door-7"}).headers["x-request-id"] == "door-7"
    problem = stack.client.get("/me", headers={"X-Request-Id": "door-8"}).json()
    assert problem["request_id"] == "door-8"


def test_consumer_lag_and_dead_letters_are_reported(fm: Commands) -> None:
    groups = [group["group"] for group in fm.json("kafka", "lag")]
    assert groups == ["door-consumers", "payment-consumers", "archive-consumers"]
    assert "door-consumers on door-commands" in fm.said("kafka", "lag")
    assert fm.json("kafka", "dead-letters") == []
