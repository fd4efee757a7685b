"""Scans asked for again, and undone."""

from typing import Any
from urllib.parse import quote

import pytest

from domain.identity.model import Role
from domain.ids import new_id
from integrations.kafka.messages import AnnulCommand
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem

pytestmark = pytest.mark.anyio


async def test_a_decided_scan_is_found_by_its_device_in_the_answers_own_shape(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    answer = (await harness.scan(at, member, scan_id="one")).json()
    found = await harness.client.get("/scans/one", headers=at.headers)
    assert found.json() == answer | {"replayed": True, "annulled": None}
    assert list(found.json())[:-1] == list(answer)


@pytest.mark.parametrize("scan_id", ["a/b", "~!@$&'()*+,;=:", "x/annul", "%2F", '"<>'])
async def test_an_id_of_any_visible_signs_is_found_and_undone(harness: Harness, scan_id: str) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id=scan_id)
    url = "/scans/" + quote(scan_id, safe="")
    assert (await harness.client.get(url, headers=at.headers)).json()["scan_id"] == scan_id
    assert (await harness.client.post(url + "/annul", json={}, headers=at.headers)).json()["scan_id"] == scan_id


async def test_what_was_not_decided_is_404_and_so_is_another_devices(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id="one")
    beside = GymWithGate(at.gym, at.gate, harness.device(at.gate))
    assert_problem(await harness.client.get("/scans/two", headers=at.headers), 404, "unknown_scan")
    assert_problem(await harness.client.get("/scans/one", headers=beside.headers), 404, "unknown_scan")


async def test_staff_find_any_scan_that_is_named_clearly(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    await harness.scan(at, harness.world.member(), scan_id="one")
    assert (await harness.client.get("/scans/one", headers=staff)).json()["outcome"] == "entered"
    beside = GymWithGate(at.gym, at.gate, harness.device(at.gate))
    await harness.scan(beside, "forged", scan_id="one")
    assert_problem(await harness.client.get("/scans/one", headers=staff), 409, "ambiguous_scan_id")
    listed = (await harness.client.get(f"/gyms/{at.gym}/scans", headers=staff)).json()["items"]
    found = [(await harness.client.get(f"/scans/{row['id']}", headers=staff)).json()["outcome"] for row in listed]
    assert found == ["refused", "entered"]
    await harness.scan(at, "forged", scan_id="one", headers=staff)
    assert (await harness.client.get("/scans/one", headers=staff)).json()["outcome"] == "refused", (
        "their own comes first"
    )


async def annul(harness: Harness, scan_id: str, headers: dict[str, str], **body: Any) -> Any:  # noqa: ANN401 - any JSON
    return await harness.client.post(f"/scans/{scan_id}/annul", json=body, headers=headers)


async def test_a_device_needs_no_body_to_undo_its_scan(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id="one")
    assert (await harness.client.post("/scans/one/annul", headers=at.headers)).status_code == 200
    staff = await harness.client.post("/scans/one/annul", headers=harness.bearer(Role.STAFF))
    assert_problem(staff, 422, "invalid_request")


async def test_a_device_annuls_its_own_scan_and_a_repeated_annulment_gets_the_same_answer(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id="one")
    undone = await annul(harness, "one", at.headers)
    assert undone.status_code == 200
    assert undone.json()["occupancy"] == 0
    assert (await annul(harness, "one", at.headers, reason="again")).json() == undone.json()
    (command, _) = harness.commands.sent
    assert isinstance(command, AnnulCommand)
    assert (command.annul.by_staff, command.annul.by, command.annul.asked_by) == (False, at.device, at.device)
    found = (await harness.client.get("/scans/one", headers=at.headers)).json()
    assert found["annulled"] == {"at": undone.json()["annulled_at"], "by": str(at.device), "reason": ""}


async def test_a_device_may_undo_what_was_never_seen_and_it_is_refused_when_it_comes(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    assert (await annul(harness, "lost", at.headers)).status_code == 200
    found = (await harness.client.get("/scans/lost", headers=at.headers)).json()
    assert (found["outcome"], found["annulled"]["by"]) == ("refused", str(at.device))
    await harness.scan(at, member, scan_id="lost")
    assert harness.world.inside(at.gym) == []


async def test_a_device_undoes_for_a_quarter_of_an_hour_and_staff_for_ever(harness: Harness) -> None:
    at, member = harness.gym_with_gate(), harness.world.member()
    await harness.scan(at, member, scan_id="one")
    harness.world.clock.forward(901)
    assert_problem(await annul(harness, "one", at.headers), 409, "annul_window_over")
    staff = harness.bearer(Role.STAFF)
    undone = await annul(harness, "one", staff, reason="went home by the window")
    assert undone.status_code == 200
    found = (await harness.client.get("/scans/one", headers=staff)).json()
    assert found["annulled"]["reason"] == "went home by the window"


async def test_staff_say_why(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    await harness.scan(at, harness.world.member(), scan_id="one")
    for body in ({}, {"reason": "  "}):
        problem = assert_problem(await annul(harness, "one", staff, **body), 422, "invalid_request")
        assert problem["fields"] == [{"field": "reason", "detail": "is missing"}]
    assert_problem(await annul(harness, "one", staff, reason="x" * 201), 422, "invalid_request")
    assert not harness.commands.sent


async def test_staff_undo_a_scan_of_theirs_that_was_never_answered_by_its_gate(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    assert_problem(await annul(harness, "lost", staff, reason="no answer"), 404, "unknown_scan")
    assert_problem(await annul(harness, "lost", staff, reason="no answer", gate_id=str(new_id())), 404, "unknown_gate")
    assert (await annul(harness, "lost", staff, reason="no answer", gate_id=str(at.gate))).status_code == 200
    member = harness.world.member()
    await harness.scan(at, member, scan_id="lost", headers=staff)
    assert harness.world.inside(at.gym) == []


async def test_staff_undo_by_the_rows_id_what_the_clients_id_does_not_tell_apart(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(), harness.bearer(Role.STAFF)
    beside = GymWithGate(at.gym, at.gate, harness.device(at.gate))
    await harness.scan(at, harness.world.member(), scan_id="one")
    await harness.scan(beside, harness.world.member(), scan_id="one")
    assert_problem(await annul(harness, "one", staff, reason="x"), 409, "ambiguous_scan_id")
    newest = (await harness.client.get(f"/gyms/{at.gym}/scans?limit=1", headers=staff)).json()["items"][0]
    assert newest["asked_by"] == str(beside.device)
    undone = await annul(harness, newest["id"], staff, reason="x")
    assert (undone.json()["scan_id"], undone.json()["occupancy"]) == ("one", 1)


async def test_an_annulment_without_an_answer_is_503(harness: Harness) -> None:
    at = harness.gym_with_gate()
    harness.commands.silent = True
    assert_problem(await annul(harness, "one", at.headers), 503, "no_answer_in_time")
    harness.replies.ready = False
    assert_problem(await annul(harness, "one", at.headers), 503, "unavailable")
