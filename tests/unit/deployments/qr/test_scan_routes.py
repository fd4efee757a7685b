"""`POST /scans`, from the door's side."""

import asyncio
import json
from dataclasses import replace

import pytest

from domain.door.model import CheckPayment, Problem, Rejected
from domain.gyms.model import GateDirections
from domain.identity.model import Role
from domain.ids import new_id
from integrations.kafka.messages import DoorReply, OfflineScanCommand, ScanCommand, reply
from tests.unit.deployments.harness import Harness, assert_problem, scan_body, settled

pytestmark = pytest.mark.anyio


async def test_a_member_goes_in_and_out(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    entered = await harness.scan(at, member)
    assert entered.status_code == 200
    assert entered.json() | {"scan_id": "", "decided_at": ""} == {
        "scan_id": "",
        "outcome": "entered",
        "reason": None,
        "remedy": None,
        "member": {"id": str(member), "name": "Mia", "picture_url": None},
        "gym_id": str(at.gym),
        "occupancy": 1,
        "capacity": 100,
        "decided_at": "",
        "replayed": False,
    }
    harness.world.clock.forward(60)
    assert (await harness.scan(at, member)).json()["outcome"] == "left"


async def test_a_refusal_is_an_answer(harness: Harness) -> None:
    answer = await harness.scan(harness.gym_with_gate(), "not a pass")
    assert answer.status_code == 200
    assert (answer.json()["outcome"], answer.json()["reason"]) == ("refused", "unknown_pass")


async def test_a_repeated_id_gets_the_first_answer(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    first = (await harness.scan(at, member, scan_id="one")).json()
    harness.world.clock.forward(120)
    assert (await harness.scan(at, member, scan_id="one")).json() == first | {"replayed": True}


async def test_the_question_names_device_gym_and_deadline(harness: Harness) -> None:
    at = harness.gym_with_gate()
    await harness.scan(at, "x", scan_id="~!a/b", scanned_at="2026-03-02T13:00:00+01:00", further={"a": [1]})
    (asked,) = harness.producer.scans
    assert (asked.scan_id, asked.asked_by, asked.gym_id, asked.gate_id) == ("~!a/b", at.device, at.gym, at.gate)
    assert asked.arrived_at == asked.scanned_at == harness.world.clock.now
    assert (asked.decide_by - asked.arrived_at).total_seconds() == harness.settings.door.deadline_s


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Device",
        "Device x.y",
        "Device {device}",
        "Device {device}.",
        "Device {device}.wrong",
        "Device {other}.{secret}",
        "Basic {device}.{secret}",
        "Bearer nonsense",
        "Device {device}.{secret} more",
    ],
)
async def test_nobody_scans_without_a_credential(harness: Harness, authorization: str | None) -> None:
    at = harness.gym_with_gate()
    headers = {}
    if authorization is not None:
        headers["Authorization"] = authorization.format(device=at.device, other=new_id(), secret="s" * 43)
    answer = await harness.scan(at, "x", headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not harness.producer.sent


async def test_staff_scan_at_any_gym_and_members_at_none(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    assert (await harness.scan(at, member, headers=harness.bearer(Role.STAFF))).json()["outcome"] == "entered"
    assert_problem(await harness.scan(at, member, headers=harness.bearer(Role.USER)), 403, "forbidden")


async def test_a_gate_of_another_gym_is_not_the_devices(harness: Harness) -> None:
    at, elsewhere = harness.gym_with_gate(), harness.gym_with_gate()
    assert_problem(await harness.scan(at, "x", gate_id=str(elsewhere.gate)), 403, "gate_of_another_gym")
    assert_problem(await harness.scan(at, "x", gate_id=str(new_id())), 404, "unknown_gate")
    beside = harness.gate(at.gym)
    assert (await harness.scan(at, "x", gate_id=str(beside))).status_code == 200


@pytest.mark.parametrize(
    ("serves", "served"),
    [
        (GateDirections.IN, {"enter"}),
        (GateDirections.OUT, {"leave"}),
        (GateDirections.BOTH, {"enter", "leave", "auto"}),
    ],
)
async def test_a_gate_lets_through_the_ways_that_it_serves(
    harness: Harness, serves: GateDirections, served: set[str]
) -> None:
    at = harness.gym_with_gate(serves)
    for direction in ("enter", "leave", "auto"):
        answer = await harness.scan(at, "x", direction=direction)
        if direction in served:
            assert answer.status_code == 200
        else:
            assert assert_problem(answer, 422, "direction_not_served")["fields"][0]["field"] == "direction"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": ...}, "code"),
        ({"code": 1}, "code"),
        ({"code": "x" * 2049}, "code"),
        ({"gate_id": ...}, "gate_id"),
        ({"gate_id": "1"}, "gate_id"),
        ({"direction": ...}, "direction"),
        ({"direction": "up"}, "direction"),
        ({"scan_id": ...}, "scan_id"),
        ({"scan_id": ""}, "scan_id"),
        ({"scan_id": "x" * 65}, "scan_id"),
        ({"scan_id": "a b"}, "scan_id"),
        ({"scan_id": "a\n"}, "scan_id"),
        ({"scan_id": "ä"}, "scan_id"),
        ({"scanned_at": "yesterday"}, "scanned_at"),
        ({"scanned_at": "2026-03-02T12:00:00"}, "scanned_at"),
    ],
)
async def test_a_scan_that_does_not_fit_names_the_field(
    harness: Harness, changes: dict[str, object], field: str
) -> None:
    at = harness.gym_with_gate()
    problem = assert_problem(await harness.scan(at, "x", **changes), 422, "invalid_request")
    assert [fault["field"] for fault in problem["fields"]] == [field]
    assert not harness.producer.sent


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'{"code":"\xff"}', b'{"a":' + b"[" * 2000, b'{"code":"\\ud800"}', b"nothing"]
)
async def test_what_is_not_json_is_malformed(harness: Harness, body: bytes) -> None:
    at = harness.gym_with_gate()
    answer = await harness.client.post(
        "/scans", content=body, headers=at.headers | {"Content-Type": "application/json"}
    )
    assert_problem(answer, 400, "malformed_request")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"', b""])
async def test_json_that_is_no_scan_does_not_fit(harness: Harness, body: bytes) -> None:
    at = harness.gym_with_gate()
    answer = await harness.client.post(
        "/scans", content=body, headers=at.headers | {"Content-Type": "application/json"}
    )
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {"malformed_request", "invalid_request"}


async def test_a_device_that_asks_too_fast_waits(harness: Harness) -> None:
    slow = Harness(harness.world, scans_per_device_per_second=0.01)  # a second one only after 100 s
    at, other = slow.gym_with_gate(), slow.gym_with_gate()
    assert (await slow.scan(at, "x")).status_code == 200
    answer = await slow.scan(at, "x")
    assert_problem(answer, 429, "too_many_scans")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await slow.scan(other, "x")).status_code == 200


async def test_no_reply_by_the_deadline_is_503_and_never_a_hang(harness: Harness) -> None:
    harness.producer.door = lambda _command: None
    answer = await harness.scan(harness.gym_with_gate(), "x")
    problem = assert_problem(answer, 503, "no_answer_in_time")
    assert answer.headers["retry-after"] == "1"
    assert "same scan_id" in problem["detail"]
    assert "annul" in problem["detail"]
    assert not harness.replies.waiting


@pytest.mark.parametrize(
    ("rejected", "status"),
    [
        (Problem.SCAN_ID_REUSED, 409),
        (Problem.UNKNOWN_GYM, 404),
        (Problem.NOT_DECIDED, 503),
    ],
)
async def test_what_the_door_rejects_has_its_own_status(harness: Harness, rejected: Problem, status: int) -> None:
    harness.producer.door = lambda command: reply(command.command_id, Rejected(rejected, "Because."))
    answer = await harness.scan(harness.gym_with_gate(), "x")
    assert assert_problem(answer, status, rejected.value)["detail"] == "Because."
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_scan_id_used_for_another_gate_is_refused(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id="one")
    other = harness.gate(at.gym)
    assert_problem(await harness.scan(at, member, scan_id="one", gate_id=str(other)), 409, "scan_id_reused")


async def test_where_a_payment_could_help_the_payment_service_is_asked_once(harness: Harness) -> None:
    member = harness.world.member()

    def door(command: ScanCommand | OfflineScanCommand) -> DoorReply:
        assert isinstance(command, ScanCommand)
        if command.scan.payment_checked:
            return harness.decide(command)
        return reply(command.command_id, CheckPayment(command.scan.scan_id, member))

    harness.producer.door = door
    answer = await harness.scan(harness.gym_with_gate(), member, scan_id="paid")
    assert answer.json()["outcome"] == "entered"
    assert harness.payments.calls == ["OrderService.settle_member"]
    assert len({command.command_id for command in harness.producer.sent}) == 2
    first, second = harness.producer.scans
    assert second.payment_checked
    assert replace(second, payment_checked=False) == first


async def test_the_payment_side_may_fail_and_the_door_still_answers(harness: Harness) -> None:
    member = harness.world.member()
    harness.payments.fails = ConnectionError()

    def door(command: ScanCommand | OfflineScanCommand) -> DoorReply:
        assert isinstance(command, ScanCommand)
        if command.scan.payment_checked:
            return harness.decide(command)
        return reply(command.command_id, CheckPayment(command.scan.scan_id, member))

    harness.producer.door = door
    assert (await harness.scan(harness.gym_with_gate(), member)).json()["outcome"] == "entered"


async def test_a_door_that_asks_for_payment_for_ever_is_given_up(harness: Harness) -> None:
    member = harness.world.member()
    harness.producer.door = lambda command: reply(command.command_id, CheckPayment("any", member))
    assert_problem(await harness.scan(harness.gym_with_gate(), member), 503, "not_decided")
    assert len(harness.producer.sent) == 2


async def test_a_command_that_was_not_produced_is_said_at_once(harness: Harness) -> None:
    harness.producer.refuses = lambda _command: True
    assert_problem(await harness.scan(harness.gym_with_gate(), "x"), 503, "unavailable")


async def test_nothing_is_sent_before_replies_can_be_received(harness: Harness) -> None:
    harness.replies.ready = False
    assert_problem(await harness.scan(harness.gym_with_gate(), "x"), 503, "unavailable")
    assert not harness.producer.sent


async def test_an_unavailable_store_with_an_empty_cache_is_503(harness: Harness) -> None:
    at = harness.gym_with_gate()
    harness.gym.fails = ConnectionError()
    assert_problem(await harness.scan(at, "x"), 503, "unavailable")
    harness.gym.fails = None
    assert (await harness.scan(at, "x")).status_code == 200


async def test_what_is_remembered_takes_no_question_to_the_store(harness: Harness) -> None:
    at = harness.gym_with_gate()
    await harness.scan(at, "x")
    harness.gym.calls.clear()
    await harness.scan(at, "x")
    assert not harness.gym.calls


async def test_a_client_that_leaves_does_not_lose_its_scan(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    held = harness.producer.door
    harness.producer.door = lambda _command: None
    request = asyncio.create_task(harness.scan(at, member, scan_id="left"))
    await settled(50)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    asked = harness.producer.sent[-1]
    harness.producer.door = held
    assert list(harness.replies.waiting) == [asked.command_id]
    harness.replies.give(reply(asked.command_id, CheckPayment("left", member)))
    await settled(20)
    assert harness.producer.scans[-1].payment_checked
    found = await harness.client.get("/scans/left", headers=at.headers)
    assert found.json()["outcome"] == "entered"
    assert not harness.replies.waiting


async def test_answers_carry_the_headers_that_all_answers_carry(harness: Harness) -> None:
    at = harness.gym_with_gate()
    body = json.dumps(scan_body(at.gate, "x"))
    answer = await harness.client.post(
        "/scans", content=body, headers=at.headers | {"Content-Type": "application/json", "X-Request-Id": "mine-1"}
    )
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("beyond", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "0999-06-01T00:00:00Z"])
async def test_a_door_whose_clock_is_beyond_all_measure_still_works(harness: Harness, beyond: str) -> None:
    answer = await harness.scan(harness.gym_with_gate(), harness.world.member(), scanned_at=beyond)
    assert answer.json()["outcome"] == "entered"
    (asked,) = harness.producer.scans
    assert asked.scanned_at is None


async def test_a_slow_look_up_of_the_device_ends_at_the_deadline(harness: Harness) -> None:
    at = harness.gym_with_gate()
    harness.gym.delay_s = 60.0
    answer = await harness.scan(at, harness.world.member())
    assert_problem(answer, 503, "unavailable")


async def test_a_device_that_scanned_before_is_refused_once_its_key_is_another_or_none(harness: Harness) -> None:
    at = harness.gym_with_gate()
    for _ in range(2):
        assert (await harness.scan(at, "x")).status_code == 200
    wrong = {"Authorization": at.headers["Authorization"][:-1] + "t"}
    assert_problem(await harness.scan(at, "x", headers=wrong), 401, "unauthenticated")
    harness.gym.services.devices.revoke(at.device)
    await harness.scans._authenticator._devices.refresh()  # noqa: SLF001 - what happens by itself every two seconds
    assert_problem(await harness.scan(at, "x"), 401, "unauthenticated")


@pytest.mark.parametrize("code", ["{}\n", "{}\r\n", "{}\t", " {}  ", "\u00a0{}\u2003"])
async def test_white_space_around_a_code_is_ignored(harness: Harness, code: str) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    assert (await harness.scan(at, code.format(member))).json()["outcome"] == "entered"
    assert harness.producer.scans[0].reading.member_id == member


async def test_white_space_within_a_code_is_part_of_it(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), str(harness.world.member())
    assert (await harness.scan(at, f"{member[:8]} {member[8:]}")).json()["reason"] == "unknown_pass"
