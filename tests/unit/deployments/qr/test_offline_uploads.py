"""`POST /scans/offline` where elements do not fit: each is refused by itself, before anything is queued."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from domain.ids import new_id
from integrations.kafka.messages import DoorReply, OfflineScanCommand, ScanCommand
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem

pytestmark = pytest.mark.anyio

LONE_SURROGATE = "\ud800"
BAD_TIMES = [
    "2026-03-02T12:00:00",
    "2026-03-02",
    "1772452800",
    1772452800,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "1899-12-31T23:59:59Z",
    "1900-01-01T00:30:00+01:00",
    "2200-01-01T00:00:00Z",
    "2026-02-30T12:00:00Z",
    "yesterday",
    None,
    True,
    [],
]


def element(at: GymWithGate, code: object = "x", /, **changes: object) -> dict[str, Any]:
    made = {
        "code": str(code),
        "gate_id": str(at.gate),
        "direction": "enter",
        "scan_id": str(new_id()),
        "scanned_at": "2026-03-02T11:59:40Z",
    }
    return {name: value for name, value in (made | changes).items() if value is not ...}


async def upload(harness: Harness, at: GymWithGate, *scans: object) -> httpx.Response:
    return await upload_text(harness, at, json.dumps({"scans": scans}).encode())


async def upload_text(harness: Harness, at: GymWithGate, body: bytes) -> httpx.Response:
    return await harness.client.post(
        "/scans/offline", content=body, headers=at.headers | {"Content-Type": "application/json"}
    )


@pytest.mark.parametrize("scanned_at", BAD_TIMES)
async def test_a_time_that_no_device_shows_is_refused_before_anything_is_queued(
    harness: Harness, scanned_at: object
) -> None:
    at, elsewhere = harness.gym_with_gate(), harness.gym_with_gate()
    one, two = harness.world.members(2)
    bad, good = element(at, one, scanned_at=scanned_at, scan_id="bad"), element(at, two, scan_id="good")
    answer, scan = await asyncio.gather(upload(harness, at, bad, good), harness.scan(elsewhere, harness.world.member()))
    assert scan.json()["outcome"] == "entered"
    first, second = answer.json()["items"]
    assert (first["scan_id"], first["status"]) == ("bad", "invalid")
    assert first["detail"].startswith("scanned_at: ")
    assert (second["scan_id"], second["status"]) == ("good", "recorded")
    assert "bad" not in {scan.scan_id for scan in harness.producer.scans}


@pytest.mark.parametrize(
    "scanned_at", ["1900-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "2026-03-02T12:00:00.123456+05:45"]
)
async def test_a_clock_that_was_never_set_or_is_far_ahead_is_no_reason_to_refuse(
    harness: Harness, scanned_at: str
) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    (item,) = (await upload(harness, at, element(at, member, scanned_at=scanned_at))).json()["items"]
    assert (item["status"], item["conflict"]) == ("recorded", None)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": ...}, "code"),
        ({"code": 1}, "code"),
        ({"code": "x" * 2049}, "code"),
        ({"code": LONE_SURROGATE}, None),
        ({"gate_id": ...}, "gate_id"),
        ({"gate_id": "1"}, "gate_id"),
        ({"direction": "auto"}, "direction"),
        ({"scan_id": ...}, "scan_id"),
        ({"scan_id": "a b"}, "scan_id"),
        ({"scan_id": "x" * 65}, "scan_id"),
        ({"scan_id": LONE_SURROGATE}, None),
        ({"scanned_at": ...}, "scanned_at"),
    ],
)
async def test_an_element_that_does_not_fit_names_its_field_and_disturbs_no_other(
    harness: Harness, changes: dict[str, object], field: str | None
) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    first, second = (await upload(harness, at, element(at, **changes), element(at, member))).json()["items"]
    assert first["status"] == "invalid"
    assert field is None or first["detail"].startswith(f"{field}: ")
    assert second["status"] == "recorded"


async def test_an_upload_of_which_nothing_can_be_taken_names_element_and_field(harness: Harness) -> None:
    at = harness.gym_with_gate()
    answer = await upload(harness, at, element(at, scanned_at="2026-03-02T12:00:00"), 7, element(at, direction="auto"))
    problem = assert_problem(answer, 422, "invalid_request")
    assert [fault["field"] for fault in problem["fields"]] == ["scans.0.scanned_at", "scans.1", "scans.2.direction"]
    assert not harness.producer.sent


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 4000, 400),
        (b'{"scans":' + b"[" * 2000 + b"]" * 2000 + b"}", 400),
        (b'{"scans":[NaN]}', 422),
        (b'{"scans":[' + b"1" * 4000 + b"]}", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"scans":[]}', 422),
        (b'{"scans":{}}', 422),
        (b'{"scans":[' + b"1," * 100 + b"1]}", 422),
        (b"", 400),
    ],
)
async def test_a_body_that_is_no_upload_is_refused_as_a_whole(harness: Harness, body: bytes, status: int) -> None:
    answer = await upload_text(harness, harness.gym_with_gate(), body)
    assert_problem(answer, status, {400: "malformed_request", 422: "invalid_request"}[status])


async def test_uploads_count_by_their_scans_and_leave_the_gate_its_own_rate(harness: Harness) -> None:
    slow = Harness(harness.world, scans_per_device_per_second=0.01)
    at, other = slow.gym_with_gate(), slow.gym_with_gate()
    seven = [element(at) for _ in range(7)]
    assert (await upload(slow, at, *seven)).status_code == 202
    answer = await upload(slow, at, element(at))
    assert_problem(answer, 429, "too_many_scans")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await slow.scan(at, slow.world.member())).json()["outcome"] == "entered"
    assert (await upload(slow, other, element(other))).status_code == 202


async def test_what_fails_unforeseen_of_one_element_is_to_be_sent_again_and_the_others_are_recorded(
    harness: Harness,
) -> None:
    at, (one, two) = harness.gym_with_gate(), harness.world.members(2)
    real = harness.producer.door

    def fails_once(command: ScanCommand | OfflineScanCommand) -> DoorReply | None:
        answer = real(command)
        assert isinstance(command, OfflineScanCommand)
        if command.offline.scan.scan_id == "bad" and answer is not None:
            return DoorReply(answer.command_id, answer.kind, type(answer.body)(b"{}"))
        return answer

    harness.producer.door = fails_once
    bad, good = (await upload(harness, at, element(at, one, scan_id="bad"), element(at, two))).json()["items"]
    assert (bad["scan_id"], bad["status"]) == ("bad", "not_taken")
    assert good["status"] == "recorded"


async def test_white_space_around_an_uploaded_code_is_ignored(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    (item,) = (await upload(harness, at, element(at, f"\t{member}\r\n"))).json()["items"]
    assert (item["status"], item["conflict"]) == ("recorded", None)
