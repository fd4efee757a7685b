"""The database or Kafka goes away in the middle of it, and comes back."""

import asyncio
from collections import Counter

import pytest

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from domain.door.model import Direction, Outcome, ScanRequest
from integrations.settings import Settings
from tests.faults.asking import Door, door, patient, until
from tests.faults.conftest import StartConsumer
from tests.faults.invariants import assert_invariants
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]


def rush(world: World) -> list[ScanRequest]:
    gyms = [world.gym(capacity=20) for _ in range(4)]
    members = world.members(200, days=3650)
    return [patient(world.scan(gyms[n % 4], world.code(member), Direction.ENTER)) for n, member in enumerate(members)]


def assert_every_place_is_taken(the_door: Door) -> None:
    outcomes = Counter(answers[0].outcome for answers in the_door.given.values())
    assert outcomes == {Outcome.ENTERED: 80, Outcome.REFUSED: 120}


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
async def test_scans_wait_for_the_database_and_are_decided_when_it_is_back(
    gently: bool,  # noqa: FBT001 - pytest's way
    settings: Settings,
    world: World,
    start_consumer: StartConsumer,
    mariadb: MariaDbServer,
) -> None:
    requests = rush(world)
    consumer = start_consumer()
    async with door(settings) as the_door:
        await the_door.ask_all(requests[:20])
        asking = the_door.starts_asking(requests[20:])
        await until(lambda: len(the_door.given) > 20)
        await asyncio.to_thread(mariadb.stop if gently else mariadb.kill)
        await asyncio.sleep(2.5)  # longer than the group's session: the consumer stays a member all the same
        await asyncio.to_thread(mariadb.start)
        world.store.close()  # its connections were to the server that is gone
        await asking
        await the_door.ask_all(requests)
    assert consumer.is_running
    assert "partitions_revoked" not in consumer.log_file.read_text()
    assert_every_place_is_taken(the_door)
    assert_invariants(world.store, the_door.given)


async def test_scans_wait_for_kafka_and_nothing_acknowledged_is_lost(
    settings: Settings, world: World, start_consumer: StartConsumer, kafka: KafkaServer
) -> None:
    requests = rush(world)
    consumer = start_consumer()
    async with door(settings) as the_door:
        await the_door.ask_all(requests[:20])
        asking = the_door.starts_asking(requests[20:])
        await until(lambda: len(the_door.given) > 20)
        await asyncio.to_thread(kafka.kill)
        assert the_door.listener.ready
        await asyncio.sleep(2)  # longer than a command is worth sending
        await asyncio.to_thread(kafka.start)
        await asking
        await the_door.ask_all(requests)
        assert the_door.client.healthy
    assert consumer.is_running
    assert_every_place_is_taken(the_door)
    assert_invariants(world.store, the_door.given)
