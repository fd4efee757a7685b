"""The only consumer of a whole system is killed, or frozen: how soon its gyms are heard again."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.door.model import Direction, Outcome, ScanAnswer
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.settings import DoorSettings, KafkaSettings
from tests.faults.door_client import Door, door
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole, fix
from tests.faults.invariants import assert_invariants
from tests.waiting import eventually
from tests.world import ManualClock, World

pytestmark = [pytest.mark.soak("scaling"), pytest.mark.anyio, pytest.mark.timeout(900)]

GYMS = 6
EVERY_S = 0.1
DEADLINE_S = DoorSettings().deadline_s
# Kafka keeps a killed consumer's partitions for as long, while Serve replaces its process.
SESSION_S = KafkaSettings().session_timeout_ms / 1000
MISSED_AFTER_S = 5.0  # `health_check_period_s` and `health_check_timeout_s` of `serve_config.yaml`
FAILED_CHECKS = 3  # after so many Serve believes that a replica is ill
GRACE_S = 20.0  # `graceful_shutdown_timeout_s`
LOCKS_S = 5.0  # `consumers.door.IDLE_SESSION_TIMEOUT_S`
# A replica's start is an import, and what Ray, Serve and the group do around it.
IMPORTS_A_START = 6


@pytest.fixture(scope="module")
def one_consumer(whole: Whole) -> Iterator[Whole]:
    """The stack with one consumer, whatever comes."""
    whole.redeploy_consumer(lambda part: fix(part, 1))
    yield whole
    whole.redeploy_consumer(lambda _part: None)


@pytest.fixture
def world(one_consumer: Whole) -> World:
    return World(one_consumer.store, ManualClock(datetime.now(UTC)), first_number=one_consumer.first_number())


def start_s() -> float:
    """How long the start of a consumer takes here and now, in s: some times the import of its module."""
    began_at = time.monotonic()
    subprocess.run([sys.executable, "-c", "import consumers.door_deployment"], check=True)
    return IMPORTS_A_START * (time.monotonic() - began_at)


@dataclass
class Visitors:
    """Somebody new wants into a gym ten times a second, as at a door: within its deadline or not at all."""

    the_door: Door
    world: World
    members: Iterator[UUID]
    entered: dict[UUID, list[float]] = field(default_factory=dict)  # by gym: when
    asking: set[asyncio.Task[None]] = field(default_factory=set)

    async def come(self) -> None:
        while True:
            for gym in self.world.gates:
                task = asyncio.create_task(self._enter(gym))
                self.asking.add(task)
                task.add_done_callback(self.asking.discard)
                await asyncio.sleep(EVERY_S / len(self.world.gates))

    async def _enter(self, gym: UUID) -> None:
        self.world.clock.now = datetime.now(UTC)
        scan = self.world.scan(gym, self.world.code(next(self.members)), Direction.ENTER, deadline_s=DEADLINE_S)
        try:
            answer = await self.the_door.ask_once(scan, DEADLINE_S)
        except NoAnswerInTime:
            return
        assert isinstance(answer, ScanAnswer)
        if answer.outcome is Outcome.ENTERED:
            self.entered.setdefault(gym, []).append(time.monotonic())

    def first_after(self, moment: float) -> list[float]:
        """For each gym that has let somebody in since, how long it took, in s."""
        firsts = (next((at for at in times if at > moment), None) for times in self.entered.values())
        return sorted(first - moment for first in firsts if first is not None)

    def calm(self) -> Callable[[], bool]:
        """Whether every gym has let in ten more since."""
        before = {gym: len(times) for gym, times in self.entered.items()}
        return lambda: all(len(times) >= before.get(gym, 0) + 10 for gym, times in self.entered.items())


@asynccontextmanager
async def visitors(whole: Whole, world: World) -> AsyncIterator[Visitors]:
    """Light load, all the while."""
    for _ in range(GYMS):
        world.gym(capacity=100_000)
    async with door(whole.settings) as the_door:
        found = Visitors(the_door, world, iter(world.members(12_000, days=3650)))
        coming = asyncio.create_task(found.come())
        await eventually(lambda: len(found.entered) == GYMS)
        try:
            yield found
        finally:
            coming.cancel()
            await asyncio.gather(*found.asking)
        assert_invariants(world.store, the_door.given)


async def test_gyms_are_served_again_soon_after_their_consumer_was_killed(
    one_consumer: Whole, world: World, figures: Figures
) -> None:
    took: list[tuple[float, float]] = []  # how long it took, and how long it may take
    async with visitors(one_consumer, world) as coming:
        for _ in range(3):
            await eventually(coming.calm())
            starts_s = await asyncio.to_thread(start_s)
            (victim,) = one_consumer.replicas("DoorConsumer")
            victim.kill()
            killed = time.monotonic()
            await eventually(lambda: len(set(one_consumer.replicas("DoorConsumer")) - {victim}) == 1)  # noqa: B023 - awaited right here
            replaced = time.monotonic() - killed
            await eventually(lambda: len(coming.first_after(killed + 0.5)) == GYMS)  # noqa: B023
            heard = [0.5 + one for one in coming.first_after(killed + 0.5)]
            took.append((heard[-1], SESSION_S + MISSED_AFTER_S + starts_s))
            figures.tell("replaced after, s", replaced)
            figures.tell("first gym heard after, s", heard[0])
            figures.tell("last gym heard after, s", heard[-1])
    assert all(last <= bearable for last, bearable in took), took


async def test_a_suspended_consumer_is_replaced(one_consumer: Whole, world: World, figures: Figures) -> None:
    async with visitors(one_consumer, world) as coming:
        await eventually(coming.calm())
        bearable = FAILED_CHECKS * MISSED_AFTER_S + GRACE_S + SESSION_S + LOCKS_S + await asyncio.to_thread(start_s)
        (victim,) = one_consumer.replicas("DoorConsumer")
        victim.suspend()
        frozen = time.monotonic()
        try:
            await eventually(lambda: len(coming.first_after(frozen + 0.5)) == GYMS)
            heard = 0.5 + coming.first_after(frozen + 0.5)[-1]
            await eventually(lambda: not victim.is_running() and len(one_consumer.replicas("DoorConsumer")) == 1)
            gone = time.monotonic() - frozen
        finally:
            if victim.is_running():
                victim.kill()
    figures.tell("last gym heard after, s", heard)
    figures.tell("the frozen process gone after, s", gone)
    assert heard <= bearable
