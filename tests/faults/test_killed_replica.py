"""The only consumer of a whole system is killed, or frozen: how soon its gyms are heard again."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from pydantic import SecretStr

from domain.door.model import Direction, Outcome, ScanAnswer
from domain.unit_of_work import Store
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.settings import DatabaseSettings, KafkaSettings, Settings
from tests.faults.asking import Door, door, until
from tests.faults.invariants import assert_invariants
from tests.stacks import TestedStack
from tests.world import HeldClock, World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

GYMS = 6
EVERY_S = 0.1
DEADLINE_S = 1.8
# The rule is 10 s; the rest is for a machine that has other things to do.
DECIDED_WITHIN_S = 20.0
THAWED_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def stack() -> Iterator[TestedStack]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-killed-"))
    folder.chmod(0o711)
    stack = TestedStack(folder, profile="full")
    try:
        stack.start()
        yield stack
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings(stack: TestedStack) -> Settings:
    told = stack.record.environment
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=told["FITMONITOR_KAFKA__BOOTSTRAP_SERVERS"]),
        database=DatabaseSettings(url=SecretStr(told["FITMONITOR_DATABASE__URL"])),
    )


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """The first number of the next test's gyms."""
    return iter(range(100, 1000, GYMS))


@pytest.fixture
def world(settings: Settings, numbers: Iterator[int]) -> Iterator[World]:
    store = Store(settings.database.url.get_secret_value(), pool_size=2)
    yield World(store, HeldClock(datetime.now(UTC)), first_number=next(numbers))
    store.close()


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


@asynccontextmanager
async def visitors(settings: Settings, world: World) -> AsyncIterator[Visitors]:
    """Light load, all the while."""
    for _ in range(GYMS):
        world.gym(capacity=100_000)
    async with door(settings) as the_door:
        found = Visitors(the_door, world, iter(world.members(12_000, days=3650)))
        coming = asyncio.create_task(found.come())
        await until(lambda: len(found.entered) == GYMS)
        try:
            yield found
        finally:
            coming.cancel()
            await asyncio.gather(*found.asking)
        assert_invariants(world.store, the_door.given)


def consumers(stack: TestedStack) -> list[psutil.Process]:
    """The processes of the consumers, by their titles."""
    found = []
    for process in stack.processes():
        try:
            title = (process.cmdline() or [""])[0]
        except psutil.Error:
            continue
        if title.startswith("ray::ServeReplica:") and ":DoorConsumer" in title:
            found.append(process)
    return found


async def test_gyms_are_heard_again_soon_after_their_consumer_was_killed(
    stack: TestedStack, settings: Settings, world: World, record_property: Callable[[str, object], None]
) -> None:
    took: list[tuple[float, float, float]] = []
    async with visitors(settings, world) as coming:
        for _ in range(3):
            (victim,) = consumers(stack)
            victim.kill()
            killed = time.monotonic()
            await until(lambda: len(set(consumers(stack)) - {victim}) == 1)  # noqa: B023 - awaited right here
            replaced = time.monotonic() - killed
            await until(lambda: len(coming.first_after(killed + 0.5)) == GYMS)  # noqa: B023
            heard = [0.5 + one for one in coming.first_after(killed + 0.5)]
            took.append((replaced, heard[0], heard[-1]))
            await asyncio.sleep(5)
    for n, (replaced, first, last) in enumerate(took, 1):
        told = f"replaced after {replaced:.1f} s, first gym heard after {first:.1f} s, last after {last:.1f} s"
        record_property(f"kill {n}", told)
        print(f"kill {n}: {told}")  # noqa: T201 - shown by pytest on demand
    assert max(last for _, _, last in took) <= DECIDED_WITHIN_S


async def test_a_frozen_consumer_is_replaced(
    stack: TestedStack, settings: Settings, world: World, record_property: Callable[[str, object], None]
) -> None:
    async with visitors(settings, world) as coming:
        (victim,) = consumers(stack)
        victim.suspend()
        frozen = time.monotonic()
        try:
            await until(lambda: len(coming.first_after(frozen + 0.5)) == GYMS)
            heard = 0.5 + coming.first_after(frozen + 0.5)[-1]
            await until(lambda: not victim.is_running() and len(consumers(stack)) == 1)
            gone = time.monotonic() - frozen
        finally:
            if victim.is_running():
                victim.kill()
    told = f"all gyms heard after {heard:.1f} s, the frozen process gone after {gone:.1f} s"
    record_property("frozen", told)
    print(told)  # noqa: T201 - shown by pytest on demand
    assert heard <= THAWED_WITHIN_S
