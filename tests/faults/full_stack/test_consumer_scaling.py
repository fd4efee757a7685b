"""A lag that lasts takes one consumer to four, its end takes them back to one; the door never notices."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any
from uuid import UUID

import pytest
from confluent_kafka.admin import AdminClient
from sqlalchemy import func, select

from domain.door.model import Direction, ScanAnswer, ScanRequest
from domain.door.tables import scans
from integrations.kafka.clients import common_config
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.leader_retry import retry_until_leader
from integrations.settings import KafkaSettings
from tests.faults.door_client import Door, door, patient
from tests.faults.figures import Figures
from tests.faults.full_stack.full_stack import Whole
from tests.faults.invariants import assert_invariants
from tests.world import ManualClock, World

pytestmark = [pytest.mark.soak("scaling"), pytest.mark.anyio, pytest.mark.timeout(900)]

MOST = 4
CALM_S = 5.0  # a production's five minutes, shortened
GYMS = 24
WAITING_S = 4.0  # while it storms, so much waits that consumers would need this long for it, however fast they are
AT_FIRST = 1000
ASKS_AGAIN_AFTER_S = 15.0
STAYS_S = 5.0
BREEZE_PER_S = 15
CHANGES_WITHIN_S = 300.0


def slow_and_soon_calm(part: dict[str, Any]) -> None:
    """Batches of four keep a consumer slow enough to be behind with what a test can ask."""
    part["autoscaling_config"]["downscale_delay_s"] = CALM_S
    part["ray_actor_options"]["runtime_env"] = {"env_vars": {"FITMONITOR_DOOR__BATCH_MAX": "4"}}


@pytest.fixture
def scaled(whole: Whole) -> Iterator[Whole]:
    whole.redeploy_consumer(slow_and_soon_calm, anew=True)
    yield whole
    whole.redeploy_consumer(lambda _part: None, anew=True)


@pytest.fixture
def world(scaled: Whole) -> World:
    return World(scaled.store, ManualClock(datetime.now(UTC)), first_number=scaled.first_number())


@dataclass
class Group:
    """The consumers that own partitions, as the broker knows them; asked again and again."""

    kafka: KafkaSettings
    seen: list[tuple[float, int]] = field(default_factory=list)  # when, and how many

    async def watch(self) -> None:
        client = AdminClient(common_config(self.kafka))

        def ask() -> Any:  # noqa: ANN401 - the library declares no type for it
            return client.describe_consumer_groups([self.kafka.door_group])[self.kafka.door_group].result()

        while True:
            members = (await asyncio.to_thread(retry_until_leader, ask)).members
            owners = sum(bool(member.assignment.topic_partitions) for member in members)
            self.seen.append((time.monotonic(), owners))
            await asyncio.sleep(0.2)

    async def until(self, owners: int) -> float:
        """Wait until so many own partitions; when that was."""
        async with asyncio.timeout(CHANGES_WITHIN_S):
            while not self.seen or self.seen[-1][1] != owners:  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.1)
        return self.seen[-1][0]

    def course(self) -> list[int]:
        """The numbers one after the other, without those that did not change; nobody at all is a join under way."""
        return [number for number, _ in groupby(owners for _, owners in self.seen if owners)]


@dataclass
class Principal:
    """Asks each scan once and waits for long, noting when each answer came; only what got lost is asked again."""

    the_door: Door
    waited: dict[UUID, list[tuple[float, float]]] = field(default_factory=dict)  # by gym: asked, answered
    asking: list[asyncio.Task[None]] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    asked_again: int = 0

    def ask(self, request: ScanRequest) -> None:
        self.asking.append(asyncio.create_task(self._ask(request)))

    async def _ask(self, request: ScanRequest) -> None:
        asked = time.monotonic()
        try:
            await self.the_door.ask_once(request, ASKS_AGAIN_AFTER_S)
        except NoAnswerInTime:
            self.asked_again += 1
            await self.the_door.ask(request)
        self.answered.append(time.monotonic())
        self.waited.setdefault(request.gym_id, []).append((asked, self.answered[-1]))

    def longest_silence(self, start: float, end: float) -> float:
        """The longest time without an answer to anybody, in s."""
        return max(b - a for a, b in pairwise([start, *(one for one in self.answered if start < one < end), end]))

    def longest_gap(self, start: float, end: float) -> float:
        """The longest time in which a gym that waited was given no answer, in s."""
        longest = 0.0
        for waited in self.waited.values():
            answered = sorted(answer for _, answer in waited)
            for before, after in pairwise([start, *(moment for moment in answered if start < moment < end), end]):
                waiting_since = min((asked for asked, answer in waited if answer >= after), default=after)
                longest = max(longest, after - max(before, waiting_since))
        return longest

    def longest_wait(self, start: float, end: float) -> float:
        """The longest time from question to answer of what was asked in between, in s."""
        return max(
            (answered - asked for waited in self.waited.values() for asked, answered in waited if start <= asked < end),
            default=0.0,
        )


async def storm(asker: Principal, wishes: Iterator[ScanRequest]) -> None:
    """Keep so many waiting that they take `WAITING_S`."""
    wanted = AT_FIRST
    began, answered = time.monotonic(), len(asker.answered)
    while True:
        while len(asker.asking) - len(asker.answered) < wanted:
            asker.ask(next(wishes))
        await asyncio.sleep(0.02)
        passed = time.monotonic() - began
        if passed >= 2:
            wanted = max(100, round(WAITING_S * (len(asker.answered) - answered) / passed))
            began, answered = time.monotonic(), len(asker.answered)


async def breeze(asker: Principal, wishes: Iterator[ScanRequest]) -> None:
    """Ask a little, steadily."""
    while True:
        asker.ask(next(wishes))
        await asyncio.sleep(1 / BREEZE_PER_S)


def in_and_out(world: World, gyms: Sequence[UUID], members: Sequence[UUID]) -> Iterator[ScanRequest]:
    """Everyone goes in at a gym of their own, then everyone goes out, and so on; gym after gym."""
    direction, leaves = Direction.ENTER, Direction.LEAVE
    while True:
        for n, member in enumerate(members):
            world.clock.now = datetime.now(UTC)
            yield patient(world.scan(gyms[n % len(gyms)], world.code(member), direction))
        direction, leaves = leaves, direction


async def test_a_lag_that_lasts_takes_one_consumer_to_four_and_back_without_a_scan_lost_repeated_or_stalled(
    scaled: Whole, world: World, figures: Figures
) -> None:
    gyms = [world.gym(capacity=100_000) for _ in range(GYMS)]
    wishes = in_and_out(world, gyms, world.members(20_000, days=3650))
    group = Group(scaled.topics)
    watching = asyncio.create_task(group.watch())
    async with door(scaled.settings) as the_door:
        asker = Principal(the_door)
        await group.until(1)
        began = time.monotonic()
        blowing = asyncio.create_task(storm(asker, wishes))
        at_four = await group.until(MOST)
        await asyncio.sleep(STAYS_S)
        blowing.cancel()
        await asyncio.gather(*asker.asking)
        calm = time.monotonic()
        blowing = asyncio.create_task(breeze(asker, wishes))
        at_one = await group.until(1)
        await asyncio.sleep(2)
        blowing.cancel()
        await asyncio.gather(*asker.asking)
        end = time.monotonic()
        given = the_door.given
    watching.cancel()
    told = {
        "from the first scan to four consumers that own partitions, s": at_four - began,
        "from the last answer of the lag to one consumer, s": at_one - calm,
        "scans": len(asker.asking),
        "scans asked again": asker.asked_again,
        "scans a second while it stormed": round(len(asker.asking) / (calm - began)),
        "longest silence while consumers came, s": asker.longest_silence(began, calm),
        "longest gap of a waiting gym while consumers came, s": asker.longest_gap(began, calm),
        "longest gap of a waiting gym while consumers left, s": asker.longest_gap(calm, end),
        "longest wait for an answer while consumers left, s": asker.longest_wait(calm, end),
        "course": group.course(),
        "changes": [(round(at - began, 1), n) for n, (at, _) in changes(group.seen)],
        "longest wait for an answer while consumers came, s": asker.longest_wait(began, calm),
    }
    for name, value in told.items():
        figures.tell(name, value)
    course = group.course()
    up, down = course[: course.index(MOST) + 1], course[course.index(MOST) :]
    assert up == sorted(up), "it went down while the lag lasted"
    assert down == sorted(down, reverse=True), "it went up again without a lag"
    assert (course[0], course[-1]) == (1, 1)
    assert_each_decided_once(world, asker, given)
    assert_invariants(world.store, given)


def changes(seen: Sequence[tuple[float, int]]) -> list[tuple[int, tuple[float, int]]]:
    """The number of owners and the first time that it was seen, whenever it changed."""
    return [(number, next(each)) for number, each in groupby(seen, key=lambda one: one[1])]


def assert_each_decided_once(world: World, asker: Principal, given: dict[tuple[str, UUID], list[ScanAnswer]]) -> None:
    assert len(given) == len(asker.asking)
    with world.store.reading() as connection:
        stored = connection.execute(select(func.count()).select_from(scans).where(scans.c.asked_by == world.device))
        assert stored.scalar_one() == len(asker.asking)
