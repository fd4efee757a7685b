"""Gates changed and retired, devices paired by a code, and which of them are silent."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from deployments.http.confirmed_cache import Freshness
from deployments.http.device_sightings import DeviceSightings
from deployments.http.problems import retryable
from domain.gyms.model import GateDirections
from domain.identity.model import Role
from domain.ids import new_id
from domain.paging import PageRequest
from integrations.rendering.pass_images import svg
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem, scan_body

pytestmark = pytest.mark.anyio


async def test_a_gate_is_renamed_by_the_version_that_was_read(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)
    url = f"/gates/{at.gate}"
    read = await harness.client.get(url, headers=harness.bearer(Role.STAFF))
    assert read.headers["etag"] == '"1"'
    assert_problem(await harness.client.patch(url, json={"name": "Front"}, headers=admin), 428, "precondition_required")
    changed = await harness.client.patch(url, json={"name": "Front"}, headers=admin | {"If-Match": '"1"'})
    assert changed.json() == read.json() | {"name": "Front", "version": 2}
    assert changed.headers["etag"] == '"2"'
    stale = await harness.client.patch(url, json={"serves": "in"}, headers=admin | {"If-Match": '"1"'})
    assert_problem(stale, 412, "changed_meanwhile")
    serves = await harness.client.patch(url, json={"serves": "in"}, headers=admin | {"If-Match": '"2"'})
    assert (serves.json()["name"], serves.json()["serves"]) == ("Front", "in")
    same = await harness.client.patch(url, json={"name": "FRONT"}, headers=admin | {"If-Match": "*"})
    assert same.json()["name"] == "FRONT", "its own name is not taken"
    other = harness.gate(at.gym)
    taken = await harness.client.patch(f"/gates/{other}", json={"name": "Front"}, headers=admin | {"If-Match": "*"})
    assert_problem(taken, 409, "gate_name_taken")
    for method in ("GET", "PATCH", "DELETE"):
        body: dict[str, str] | None = {} if method == "PATCH" else None
        answer = await harness.client.request(
            method, f"/gates/{new_id()}", json=body, headers=admin | {"If-Match": "*"}
        )
        assert_problem(answer, 404, "unknown_gate")


async def test_a_retired_gate_and_its_devices_are_known_no_more(harness: Harness) -> None:
    quick = Harness(harness.world, freshness=Freshness(trust_for=0, deny_for=0))
    at, admin = quick.gym_with_gate(), quick.bearer(Role.ADMIN)
    beside = GymWithGate(at.gym, at.gate, quick.device(quick.gate(at.gym)))
    member = quick.world.member()
    await quick.scan(at, member)
    url = f"/gates/{at.gate}"
    assert_problem(await quick.client.delete(url, headers=admin), 428, "precondition_required")
    assert_problem(await quick.client.delete(url, headers=admin | {"If-Match": '"2"'}), 412, "changed_meanwhile")
    assert (await quick.client.delete(url, headers=admin | {"If-Match": '"1"'})).status_code == 204
    assert_problem(await quick.client.delete(url, headers=admin | {"If-Match": "*"}), 404, "unknown_gate")
    assert_problem(await quick.scan(at, member), 401, "unauthenticated")
    assert_problem(await quick.scan(beside, member), 404, "unknown_gate")
    gates = (await quick.client.get(f"/gyms/{at.gym}/gates", headers=admin)).json()["items"]
    assert str(at.gate) not in str(gates)
    for path in ("devices", "pairings"):
        assert_problem(await quick.client.get(f"{url}/{path}", headers=admin), 404, "unknown_gate")
    name = f"Gate {at.gate}"
    again = await quick.client.post(f"/gyms/{at.gym}/gates", json={"name": name, "serves": "both"}, headers=admin)
    assert again.status_code == 201, "its name is free"
    kept = (await quick.client.get(f"/gyms/{at.gym}/scans", headers=admin)).json()["items"]
    assert [scan["gate_id"] for scan in kept] == [str(at.gate)]


async def test_a_code_makes_one_device_of_whoever_shows_it_first(harness: Harness) -> None:
    at, user_id = harness.gym_with_gate(), new_id()
    admin = harness.bearer(Role.ADMIN, user_id=user_id)
    made = await harness.client.post(f"/gates/{at.gate}/pairings", json={"name": " Turnstile "}, headers=admin)
    assert made.status_code == 201
    pairing = made.json()
    code = pairing.pop("code")
    assert len(code.replace("-", "")) * 5 >= 80, "bits"
    url = pairing.pop("url")
    assert (urlsplit(url).path, urlsplit(url).fragment) == ("/pair", code)
    assert url.startswith("http://gym.test/")
    assert pairing.pop("qr_svg") == svg(url).decode()
    assert pairing | {"id": ""} == {
        "id": "",
        "gate_id": str(at.gate),
        "name": "Turnstile",
        "created_by": str(user_id),
        "created_at": "2026-03-02T12:00:00Z",
        "expires_at": "2026-03-02T12:10:00Z",
    }
    waiting = f"/gates/{at.gate}/pairings"
    assert (await harness.client.get(waiting, headers=admin)).json() == {"items": [pairing], "next": None}
    claimed = await harness.client.post("/pairings/claim", json={"code": code.lower().replace("-", " ")})
    assert claimed.status_code == 201
    assert (claimed.json()["gate_id"], claimed.json()["name"]) == (str(at.gate), "Turnstile")
    assert (await harness.client.get(waiting, headers=admin)).json()["items"] == []
    headers = {"Authorization": f"Device {claimed.json()['credential']}"}
    assert (await harness.client.post("/scans", json=scan_body(at.gate, "x"), headers=headers)).status_code == 200
    for shown in (code, "AAAA-BBBB-CCCC-DDDD"):
        assert_problem(await harness.client.post("/pairings/claim", json={"code": shown}), 404, "unknown_pairing")


async def test_a_device_that_did_not_receive_its_answer_asks_for_it_again(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)
    made = (await harness.client.post(f"/gates/{at.gate}/pairings", json={"name": "x"}, headers=admin)).json()
    key = {"Idempotency-Key": "of-this-device"}
    answers = [
        await harness.client.post("/pairings/claim", json={"code": made["code"]}, headers=key | {"X-Real": str(turn)})
        for turn in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"


async def test_a_code_is_over_after_ten_minutes_when_withdrawn_and_with_its_gate(harness: Harness) -> None:
    at, admin = harness.gym_with_gate(), harness.bearer(Role.ADMIN)

    async def made() -> dict[str, str]:
        answer = await harness.client.post(f"/gates/{at.gate}/pairings", json={"name": "x"}, headers=admin)
        pairing: dict[str, str] = answer.json()
        return pairing

    old, withdrawn = await made(), await made()
    assert (await harness.client.delete(f"/pairings/{withdrawn['id']}", headers=admin)).status_code == 204
    harness.world.clock.forward(600)
    late = await made()
    assert (await harness.client.delete(f"/gates/{at.gate}", headers=admin | {"If-Match": "*"})).status_code == 204
    for pairing in (old, withdrawn, late):
        answer = await harness.client.post("/pairings/claim", json={"code": pairing["code"]})
        assert_problem(answer, 404, "unknown_pairing")
    for pairing in (old, withdrawn):
        answer = await harness.client.delete(f"/pairings/{pairing['id']}", headers=admin)
        assert_problem(answer, 404, "unknown_pairing")
    nowhere = f"/gates/{new_id()}/pairings"
    assert_problem(await harness.client.post(nowhere, json={"name": "x"}, headers=admin), 404, "unknown_gate")


async def test_staff_see_when_a_device_was_seen_and_how_wrong_its_clock_is(harness: Harness) -> None:
    at, staff = harness.gym_with_gate(GateDirections.BOTH), harness.bearer(Role.STAFF)
    harness.gym.services.devices.revoke(harness.device(at.gate))
    url = f"/gyms/{at.gym}/devices"

    async def seen() -> dict[str, object]:
        (device,) = (await harness.client.get(url, headers=staff)).json()["items"]
        return {name: device[name] for name in ("gate_name", "last_seen_at", "clock_skew_ms", "silent")}

    never = {"gate_name": f"Gate {at.gate}", "last_seen_at": None, "clock_skew_ms": None, "silent": True}
    assert await seen() == never
    now = harness.world.clock.now
    harness.gym.calls.clear()
    await harness.scan(at, "forged", scanned_at=(now + timedelta(seconds=2)).isoformat())
    assert "DeviceService.mark_seen" not in harness.gym.calls, "never on the way of a scan"
    await harness.report_sightings()
    assert await seen() == never | {"last_seen_at": "2026-03-02T12:00:00Z", "clock_skew_ms": 2000, "silent": False}
    harness.world.clock.forward(61)
    assert (await seen())["silent"]
    await harness.scan(at, "forged")
    await harness.report_sightings()
    assert await seen() == never | {"last_seen_at": "2026-03-02T12:01:01Z", "clock_skew_ms": 2000, "silent": False}
    harness.world.clock.forward(61)
    await harness.client.get(f"/gyms/{at.gym}/occupancy", headers=at.headers)
    await harness.report_sightings()
    assert not (await seen())["silent"], "a door at which nobody scans asks how full it is"
    harness.gym.calls.clear()
    await harness.report_sightings()
    assert harness.gym.calls == [], "of nobody nothing is told"
    assert_problem(await harness.client.get(f"/gyms/{new_id()}/devices", headers=staff), 404, "unknown_gym")


async def test_sightings_are_sent_at_the_end_and_dropped_while_the_gym_service_is_unavailable(harness: Harness) -> None:
    at, now = harness.gym_with_gate(), harness.world.clock.now
    sightings = DeviceSightings(harness.gym)
    sightings.start()
    sightings.note(at.device, now, now.replace(year=9998))
    await sightings.close()
    (device,) = harness.gym.services.devices.devices_at(at.gym, PageRequest()).items  # type: ignore[union-attr]
    assert device.device.clock_skew_ms == 2**31 - 1
    harness.gym.fails = retryable("unavailable", "away")
    sightings.note(at.device, now, None)
    await sightings.report()
