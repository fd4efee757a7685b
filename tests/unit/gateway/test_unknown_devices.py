"""Strangers who name devices that do not exist, beside doors that do."""

import asyncio
from typing import Any

import httpx
import pytest

from domain.ids import new_id
from tests.unit.gateway.rig import API, SECRET, GymWithGate, Rig, assert_problem
from tests.world import World

pytestmark = pytest.mark.anyio

STRANGER, GYM = "192.0.2.7", "198.51.100.3"


@pytest.fixture
async def rig(world: World) -> Rig:
    return Rig(world, api=API.model_copy(update={"sign_ins_per_address_per_second": 5}))


async def scan_from(rig: Rig, address: str, at: GymWithGate, credential: str | None = None) -> httpx.Response:
    authorization = at.headers["Authorization"] if credential is None else f"Device {credential}"
    headers = {"Authorization": authorization, "X-Forwarded-For": address}
    return await rig.scan(at, rig.world.member(), headers=headers)


async def flood(rig: Rig, address: str, at: GymWithGate, number: int) -> list[str]:
    """The codes of the answers to so many unknown devices at once."""
    answers = await asyncio.gather(*(scan_from(rig, address, at, f"{new_id()}.{SECRET}") for _ in range(number)))
    return [answer.json()["code"] for answer in answers]


async def test_an_address_that_names_unknown_devices_is_held_off_and_others_are_not(rig: Rig) -> None:
    at = rig.gym_with_gate()
    assert set(await flood(rig, STRANGER, at, 6)) == {"unauthenticated"}
    looked_up = rig.gym.calls.count("DeviceService.keys")
    answer = await scan_from(rig, STRANGER, at, f"{new_id()}.{SECRET}")
    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert rig.gym.calls.count("DeviceService.keys") == looked_up
    assert (await scan_from(rig, GYM, at)).status_code == 200


async def test_all_addresses_of_an_ipv6_network_are_limited_together(world: World) -> None:
    # One in a thousand seconds: however slow this machine is, no other comes free meanwhile.
    rig = Rig(world, api=API.model_copy(update={"sign_ins_per_address_per_second": 0.001}))
    at, uncached = rig.gym_with_gate(), rig.gym_with_gate()
    answers = [await scan_from(rig, f"2001:db8::{host:x}", at, f"{new_id()}.{SECRET}") for host in range(1, 11)]
    assert [answer.json()["code"] for answer in answers] == ["unauthenticated", *["too_many_requests"] * 9]
    assert (await scan_from(rig, "2001:db8:0:1::1", uncached)).status_code == 200


async def test_a_remembered_device_is_not_limited_at_an_address_that_is(rig: Rig) -> None:
    at = rig.gym_with_gate()
    assert (await scan_from(rig, GYM, at)).status_code == 200
    await flood(rig, GYM, at, 20)
    assert set(await flood(rig, GYM, at, 1)) == {"too_many_requests"}
    for _ in range(30):
        assert (await scan_from(rig, GYM, at)).status_code == 200


async def test_a_revoked_device_that_goes_on_asking_holds_off_no_other_at_its_address(rig: Rig) -> None:
    at = rig.gym_with_gate()
    revoked = rig.device(at.gate)
    rig.gym.services.devices.revoke(revoked)
    for _ in range(50):
        assert_problem(await scan_from(rig, GYM, at, f"{revoked}.{SECRET}"), 401, "unauthenticated")
    assert (await scan_from(rig, GYM, at)).status_code == 200


async def test_wrong_secrets_of_a_remembered_device_cost_no_look_up(rig: Rig) -> None:
    at = rig.gym_with_gate()
    assert (await scan_from(rig, GYM, at)).status_code == 200
    looked_up = rig.gym.calls.count("DeviceService.keys")
    for _ in range(20):
        assert_problem(await scan_from(rig, STRANGER, at, f"{at.device}.{'t' * 43}"), 401, "unauthenticated")
    assert rig.gym.calls.count("DeviceService.keys") == looked_up


@pytest.mark.parametrize("call", [("GET", "/gyms/{gym}/occupancy"), ("POST", "/scans/offline")])
async def test_every_call_of_devices_is_limited_so(rig: Rig, call: tuple[str, str]) -> None:
    at = rig.gym_with_gate()
    body: dict[str, Any] = {"json": {"scans": []}} if call[0] == "POST" else {}

    async def ask() -> httpx.Response:
        headers = {"Authorization": f"Device {new_id()}.{SECRET}", "X-Forwarded-For": STRANGER}
        return await rig.client.request(call[0], call[1].format(gym=at.gym), headers=headers, **body)

    answers = await asyncio.gather(*(ask() for _ in range(6)))
    assert {answer.json()["code"] for answer in answers} == {"unauthenticated"}
    assert_problem(await ask(), 429, "too_many_requests")
