"""Strangers who name devices that do not exist, beside doors that do."""

import asyncio
from typing import Any

import httpx
import pytest

from domain.ids import new_id
from tests.unit.deployments.harness import API, SECRET, GymWithGate, Harness, assert_problem
from tests.world import World

pytestmark = pytest.mark.anyio

STRANGER, GYM = "192.0.2.7", "198.51.100.3"


@pytest.fixture
async def harness(world: World) -> Harness:
    return Harness(world, api=API.model_copy(update={"sign_ins_per_address_per_second": 5}))


async def scan_from(harness: Harness, address: str, at: GymWithGate, credential: str | None = None) -> httpx.Response:
    authorization = at.headers["Authorization"] if credential is None else f"Device {credential}"
    headers = {"Authorization": authorization, "X-Forwarded-For": address}
    return await harness.scan(at, harness.world.member(), headers=headers)


async def flood(harness: Harness, address: str, at: GymWithGate, number: int) -> list[str]:
    """The codes of the answers to so many unknown devices at once."""
    answers = await asyncio.gather(*(scan_from(harness, address, at, f"{new_id()}.{SECRET}") for _ in range(number)))
    return [answer.json()["code"] for answer in answers]


async def test_an_address_that_names_unknown_devices_is_held_off_and_others_are_not(harness: Harness) -> None:
    at = harness.gym_with_gate()
    assert set(await flood(harness, STRANGER, at, 6)) == {"unauthenticated"}
    looked_up = harness.gym.calls.count("DeviceService.keys")
    answer = await scan_from(harness, STRANGER, at, f"{new_id()}.{SECRET}")
    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert harness.gym.calls.count("DeviceService.keys") == looked_up
    assert (await scan_from(harness, GYM, at)).status_code == 200


async def test_all_addresses_of_an_ipv6_network_are_limited_together(world: World) -> None:
    # One in a thousand seconds: however slow this machine is, no other comes free meanwhile.
    harness = Harness(world, api=API.model_copy(update={"sign_ins_per_address_per_second": 0.001}))
    at, uncached = harness.gym_with_gate(), harness.gym_with_gate()
    answers = [await scan_from(harness, f"2001:db8::{host:x}", at, f"{new_id()}.{SECRET}") for host in range(1, 11)]
    assert [answer.json()["code"] for answer in answers] == ["unauthenticated", *["too_many_requests"] * 9]
    assert (await scan_from(harness, "2001:db8:0:1::1", uncached)).status_code == 200


async def test_a_remembered_device_is_not_limited_at_an_address_that_is(harness: Harness) -> None:
    at = harness.gym_with_gate()
    assert (await scan_from(harness, GYM, at)).status_code == 200
    await flood(harness, GYM, at, 20)
    assert set(await flood(harness, GYM, at, 1)) == {"too_many_requests"}
    for _ in range(30):
        assert (await scan_from(harness, GYM, at)).status_code == 200


async def test_a_revoked_device_that_goes_on_asking_holds_off_no_other_at_its_address(harness: Harness) -> None:
    at = harness.gym_with_gate()
    revoked = harness.device(at.gate)
    harness.gym.services.devices.revoke(revoked)
    for _ in range(50):
        assert_problem(await scan_from(harness, GYM, at, f"{revoked}.{SECRET}"), 401, "unauthenticated")
    assert (await scan_from(harness, GYM, at)).status_code == 200


async def test_wrong_secrets_of_a_remembered_device_cost_no_look_up(harness: Harness) -> None:
    at = harness.gym_with_gate()
    assert (await scan_from(harness, GYM, at)).status_code == 200
    looked_up = harness.gym.calls.count("DeviceService.keys")
    for _ in range(20):
        assert_problem(await scan_from(harness, STRANGER, at, f"{at.device}.{'t' * 43}"), 401, "unauthenticated")
    assert harness.gym.calls.count("DeviceService.keys") == looked_up


@pytest.mark.parametrize("call", [("GET", "/gyms/{gym}/occupancy"), ("POST", "/scans/offline")])
async def test_every_call_of_devices_is_limited_so(harness: Harness, call: tuple[str, str]) -> None:
    at = harness.gym_with_gate()
    body: dict[str, Any] = {"json": {"scans": []}} if call[0] == "POST" else {}

    async def ask() -> httpx.Response:
        headers = {"Authorization": f"Device {new_id()}.{SECRET}", "X-Forwarded-For": STRANGER}
        return await harness.client.request(call[0], call[1].format(gym=at.gym), headers=headers, **body)

    answers = await asyncio.gather(*(ask() for _ in range(6)))
    assert {answer.json()["code"] for answer in answers} == {"unauthenticated"}
    assert_problem(await ask(), 429, "too_many_requests")
