"""How many devices of an address are looked up at once, while no question has been answered yet."""

import asyncio
from collections.abc import Collection, Mapping
from uuid import UUID

import pytest

from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.device_look_ups import DeviceLookUps
from deployments.http.problems import ApiProblem
from deployments.http.rate_limits import RateLimit
from domain.gyms.model import DeviceKey
from domain.ids import new_id
from tests.unit.deployments.harness import settled

pytestmark = pytest.mark.anyio

STRANGER, GYM = "192.0.2.7", "198.51.100.3"


class Keys:
    """A table of devices whose answers wait until they may go."""

    def __init__(self) -> None:
        self.rows: dict[UUID, DeviceKey] = {}
        self.asked: set[UUID] = set()
        self.may_answer = asyncio.Event()

    async def __call__(self, ids: Collection[UUID]) -> Mapping[UUID, DeviceKey]:
        self.asked |= set(ids)
        await self.may_answer.wait()
        return {key: self.rows[key] for key in ids if key in self.rows}

    def add(self) -> UUID:
        key = DeviceKey(id=new_id(), gate_id=new_id(), gym_id=new_id(), secret_hash="hash")  # noqa: S106
        self.rows[key.id] = key
        return key.id


@pytest.fixture
async def keys() -> Keys:
    return Keys()


@pytest.fixture
def look_ups(keys: Keys) -> DeviceLookUps:
    # A clock that stands: what an address has spent does not come back while the test waits.
    return DeviceLookUps(ConfirmedCache(keys), RateLimit(5, clock=lambda: 0.0))


async def outcomes(asked: "list[asyncio.Task[DeviceKey | None]]") -> list[str]:
    """Of each: known, unknown, or the code of the refusal."""
    answers = await asyncio.gather(*asked, return_exceptions=True)
    codes = []
    for answer in answers:
        if isinstance(answer, ApiProblem):
            codes.append(answer.code)
        else:
            assert not isinstance(answer, BaseException), answer
            codes.append("known" if answer else "unknown")
    return codes


async def test_one_address_fills_no_queue_before_its_first_answer(keys: Keys, look_ups: DeviceLookUps) -> None:
    flood = [asyncio.create_task(look_ups.key(new_id(), STRANGER)) for _ in range(400)]
    await settled()
    door = asyncio.create_task(look_ups.key(keys.add(), GYM))
    await settled()
    keys.may_answer.set()
    assert await outcomes([door]) == ["known"]
    codes = await outcomes(flood)
    assert codes.count("unknown") <= 64
    assert set(codes) == {"unknown", "too_many_requests"}
    assert len(keys.asked) <= 64 + 1


async def test_doors_that_all_come_back_at_once_behind_one_address_are_not_taken_for_strangers(
    keys: Keys, look_ups: DeviceLookUps
) -> None:
    doors = [asyncio.create_task(look_ups.key(keys.add(), GYM)) for _ in range(400)]
    await settled()
    keys.may_answer.set()
    assert set(await outcomes(doors)) == {"known"}


async def test_a_door_that_gives_up_waiting_gives_its_turn_to_the_next(keys: Keys, look_ups: DeviceLookUps) -> None:
    impatient = [asyncio.create_task(look_ups.key(keys.add(), GYM)) for _ in range(100)]
    await settled()
    for task in impatient:
        task.cancel()
    await asyncio.gather(*impatient, return_exceptions=True)
    keys.may_answer.set()
    assert await outcomes([asyncio.create_task(look_ups.key(keys.add(), GYM))]) == ["known"]
