"""A consumer that dies at the worst moments, and the one that takes over."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import psutil
import pytest

from domain.door.model import Direction, Outcome, Reason, ScanAnswer, ScanRequest
from integrations.settings import Settings
from tests.faults.conftest import StartConsumer
from tests.faults.consumer_process import Point
from tests.faults.door_client import PATIENCE_S, door, patient
from tests.faults.invariants import assert_invariants
from tests.waiting import eventually
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]

YEARS = 3650


def entries(world: World, members: int) -> list[ScanRequest]:
    """Everyone wants in, at the gyms in turn."""
    gyms = list(world.gates)
    return [
        patient(world.scan(gyms[n % len(gyms)], world.code(member), Direction.ENTER))
        for n, member in enumerate(world.members(members, days=YEARS))
    ]


@pytest.mark.parametrize("point", [Point.BEFORE_COMMIT, Point.BEFORE_REPLY, Point.BEFORE_OFFSETS])
async def test_every_scan_has_one_answer_though_the_consumer_dies(
    point: Point, settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    world.gym(capacity=20)
    world.gym(capacity=100)
    requests = entries(world, 90)
    victim = start_consumer(point, after=40)
    async with door(settings) as the_door:
        await the_door.ask_all(requests[:10])
        asking = the_door.starts_asking(requests[10:])
        await eventually(lambda: victim.exit_code is not None)
        assert victim.exit_code == -9
        start_consumer()
        answers = [answer for answer in await asking if isinstance(answer, ScanAnswer)]
        again = await the_door.ask_all(requests)
        given = the_door.given
    outcomes = Counter(answers[0].outcome for answers in given.values())
    assert outcomes == {Outcome.ENTERED: 20 + 45, Outcome.REFUSED: 25}
    assert len(again) == 90
    if point is Point.BEFORE_REPLY:
        assert any(answer.replayed for answer in answers), "what was decided untold is found by its scan id"
    assert_invariants(world.store, given)


async def test_nothing_is_answered_or_passed_over_before_its_commit(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    first, second = entries(world, 2)
    victim = start_consumer(Point.DELIVERED_BEFORE_COMMIT, after=1)
    async with door(settings) as the_door:
        # Once: the consumer that takes over must find the command by itself.
        asking = asyncio.create_task(the_door.ask_once(first, PATIENCE_S))
        await eventually(lambda: victim.exit_code is not None)
        assert victim.exit_code == -9
        start_consumer()
        await the_door.ask(second)  # of the same gym, and therefore decided after the first
        await asyncio.wait([asking], timeout=5)
        assert asking.done(), "the command was passed over"
        await asking
        await the_door.ask(first)
        given = the_door.given[first.scan_id, first.asked_by]
    assert [answer.replayed for answer in given] == [False, True]
    assert len(world.inside(gym)) == 2
    assert_invariants(world.store, the_door.given)


async def test_the_partitions_of_a_killed_consumer_go_to_the_one_beside_it(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    for _ in range(8):
        world.gym(capacity=15)
    requests = entries(world, 200)
    first = start_consumer()
    async with door(settings) as the_door:
        await the_door.ask_all(requests[:8])
        second = start_consumer(Point.BEFORE_REPLY, after=1)
        asked = 8
        while second.exit_code is None:  # it dies by its first command, once it has partitions
            assert asked < len(requests), "the second consumer was given nothing to do"
            await the_door.ask_all(requests[asked : asked + 4])
            asked += 4
            await asyncio.sleep(0.1)
        assert second.exit_code == -9
        await the_door.ask_all(requests)
        assert first.is_running
    entered = [answers[0] for answers in the_door.given.values() if answers[0].outcome is Outcome.ENTERED]
    assert len(entered) == 8 * 15
    assert_invariants(world.store, the_door.given)


async def test_what_waits_past_its_deadline_while_no_consumer_lives_is_never_admitted(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    requests = [world.scan(gym, world.code(member), Direction.ENTER) for member in world.members(20, days=YEARS)]
    async with door(settings) as the_door:
        asking = the_door.starts_asking(requests)
        await eventually(lambda: datetime.now(UTC) > requests[0].decide_by)
        start_consumer()
        answers = await asking
    assert {(a.outcome, a.reason) for a in answers if isinstance(a, ScanAnswer)} == {(Outcome.REFUSED, Reason.TOO_LATE)}
    assert world.inside(gym) == []
    assert_invariants(world.store, the_door.given)


async def test_a_consumer_that_froze_with_its_locks_gives_them_up_and_changes_nothing_when_it_wakes(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    world.gym(capacity=30)
    world.gym(capacity=30)
    requests = entries(world, 120)
    sleeper = start_consumer(Point.FROZEN_BEFORE_COMMIT, after=20)
    async with door(settings) as the_door:
        asking = the_door.starts_asking(requests)
        await eventually(lambda: sleeper.process.status() == psutil.STATUS_STOPPED)
        start_consumer()
        await asking
        sleeper.process.resume()
        await the_door.ask_all(requests)
        assert sleeper.is_running
    entered = [answers[0] for answers in the_door.given.values() if answers[0].outcome is Outcome.ENTERED]
    assert len(entered) == 60
    assert_invariants(world.store, the_door.given)
