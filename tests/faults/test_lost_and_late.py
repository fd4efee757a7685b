"""Replies that nobody hears or that come late, commands that waited too long, and two owners of one partition."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.door.model import AnnulAnswer, Direction, Outcome, Reason, ScanAnswer
from domain.ids import new_id
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.messages import ReplyTo, ScanCommand
from integrations.settings import Settings
from tests.faults.conftest import StartConsumer
from tests.faults.door_client import consumer, door, patient
from tests.faults.invariants import assert_invariants
from tests.forked import LoggedProcess
from tests.waiting import eventually
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]

YEARS = 3650


async def test_a_lost_reply_is_found_by_the_scan_id(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    request = patient(world.scan(gym, world.code(world.member(days=YEARS)), Direction.ENTER))
    start_consumer()
    async with door(settings) as the_door:
        unheard = ScanCommand(new_id(), ReplyTo(replica="a gateway that died", partition=0), request)
        with pytest.raises(NoAnswerInTime):
            await the_door.client.send(unheard, gym, datetime.now(UTC) + timedelta(seconds=1))
        answer = await the_door.ask(request)
    assert isinstance(answer, ScanAnswer)
    assert (answer.outcome, answer.replayed) == (Outcome.ENTERED, True)
    assert len(world.inside(gym)) == 1
    assert_invariants(world.store, the_door.given)


async def test_a_reply_that_comes_late_is_counted_and_its_answer_found_by_the_scan_id(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    request = patient(world.scan(gym, world.code(world.member(days=YEARS)), Direction.ENTER))
    async with door(settings) as the_door:
        with pytest.raises(NoAnswerInTime):
            await the_door.ask_once(request, wait_s=0.2)
        assert the_door.listener.late_replies == 0
        start_consumer()
        await eventually(lambda: the_door.listener.late_replies == 1)
        answer = await the_door.ask(request)
    assert isinstance(answer, ScanAnswer)
    assert (answer.outcome, answer.replayed) == (Outcome.ENTERED, True)
    assert_invariants(world.store, the_door.given)


async def test_a_scan_that_waited_too_long_admits_nobody_and_can_be_annulled(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    member = world.member(days=YEARS)
    request = world.scan(gym, world.code(member), Direction.ENTER, deadline_s=0.3)
    async with door(settings) as the_door:
        with pytest.raises(NoAnswerInTime):
            await the_door.ask_once(request, wait_s=0.5)
        start_consumer()
        refused = await the_door.ask(request)
        annulled = await the_door.ask(world.annulment(gym, request.scan_id))
        refused_again = await the_door.ask(request)
        entered = await the_door.ask(patient(world.scan(gym, world.code(member), Direction.ENTER)))
    assert isinstance(annulled, AnnulAnswer)
    assert annulled.occupancy == 0
    for answer in (refused, refused_again):
        assert isinstance(answer, ScanAnswer)
        assert (answer.outcome, answer.reason) == (Outcome.REFUSED, Reason.TOO_LATE)
    assert isinstance(entered, ScanAnswer)
    assert entered.outcome is Outcome.ENTERED, "the pass was not used up"
    assert world.inside(gym) == [member]


@pytest.fixture
def twin(settings: Settings, tmp_path: Path) -> Iterator[LoggedProcess]:
    """A consumer with a group of its own: it owns every partition, and nobody who owns one knows of it."""
    group = settings.kafka.door_group + "-twin"
    kafka = settings.kafka.model_copy(update={"door_group": group})
    process = consumer(settings.model_copy(update={"kafka": kafka}), tmp_path / "twin.log")
    yield process
    process.kill()


async def test_two_owners_of_one_partition_decide_each_scan_once(
    settings: Settings, world: World, start_consumer: StartConsumer, twin: LoggedProcess
) -> None:
    gyms = [world.gym(capacity=20) for _ in range(4)]
    requests = [
        patient(world.scan(gyms[n % 4], world.code(member), Direction.ENTER))
        for n, member in enumerate(world.members(200, days=YEARS))
    ]
    owner = start_consumer()
    async with door(settings) as the_door:
        await asyncio.gather(*(the_door.ask(request) for request in requests))
        # Both told the door of every scan: what the slower one says is late.
        await eventually(lambda: the_door.listener.late_replies >= len(requests))
        await the_door.ask_all(requests)
    assert owner.is_running
    assert twin.is_running
    outcomes = Counter(answers[0].outcome for answers in the_door.given.values())
    assert outcomes == {Outcome.ENTERED: 80, Outcome.REFUSED: 120}
    assert_invariants(world.store, the_door.given)
