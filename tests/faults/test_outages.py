"""The database or Kafka goes away while scans are decided and events are told, and comes back."""

import asyncio
import time
from collections import Counter

import pytest

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from domain.door.model import Direction, Outcome, ScanRequest
from domain.unit_of_work import Store
from integrations.settings import Settings
from tests.events import first_appearances, published, stored
from tests.faults.conftest import StartConsumer
from tests.faults.door_client import Door, door, patient
from tests.faults.invariants import assert_invariants
from tests.faults.outbox import in_order, running, write
from tests.waiting import eventually, wait_until
from tests.world import World

pytestmark = [pytest.mark.check, pytest.mark.anyio, pytest.mark.timeout(280)]

SESSION_S = 6.0  # of the group, as in production: on a busy machine too nobody misses two seconds of heartbeats of it


@pytest.fixture(scope="module")
def mariadb(own_mariadb: MariaDbServer) -> MariaDbServer:
    return own_mariadb


@pytest.fixture(scope="module")
def kafka(own_kafka: KafkaServer) -> KafkaServer:
    return own_kafka


@pytest.fixture
def settings(settings: Settings) -> Settings:
    kafka = settings.kafka.model_copy(update={"session_timeout_ms": round(SESSION_S * 1000)})
    return settings.model_copy(update={"kafka": kafka})


def rush(world: World) -> list[ScanRequest]:
    gyms = [world.gym(capacity=20) for _ in range(4)]
    members = world.members(200, days=3650)
    return [patient(world.scan(gyms[n % 4], world.code(member), Direction.ENTER)) for n, member in enumerate(members)]


def assert_every_place_is_taken(the_door: Door) -> None:
    outcomes = Counter(answers[0].outcome for answers in the_door.given.values())
    assert outcomes == {Outcome.ENTERED: 80, Outcome.REFUSED: 120}


@pytest.mark.parametrize(("gently", "away_s"), [(True, 0), (False, SESSION_S + 1)], ids=["stopped", "killed"])
async def test_scans_wait_for_the_database_and_are_decided_when_it_is_back(
    gently: bool,  # noqa: FBT001 - pytest's way
    away_s: float,
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
        await eventually(lambda: len(the_door.given) > 20)
        await asyncio.to_thread(mariadb.stop if gently else mariadb.kill)
        await asyncio.sleep(away_s)  # longer than the group's session: the consumer stays a member all the same
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
        await eventually(lambda: len(the_door.given) > 20)
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


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_events_wait_for_kafka_and_go_on_by_themselves(
    gently: bool,  # noqa: FBT001 - pytest's way
    settings: Settings,
    store: Store,
    kafka: KafkaServer,
) -> None:
    with running(settings) as relay:
        write(store, 50)
        wait_until(lambda: relay.published == 50)
        (kafka.stop if gently else kafka.kill)()
        try:
            for n in range(50, 750, 7):
                write(store, 7, began=n)
            wait_until(lambda: relay.lag == 700)
            assert relay.healthy
            assert relay.oldest_age_s > 0
        finally:
            kafka.start()
        wait_until(lambda: not stored(store))
        wait_until(lambda: relay.lag == 0)
        assert relay.healthy
    assert first_appearances(published(settings.kafka)) == in_order(750)


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_events_outlive_the_database(
    gently: bool,  # noqa: FBT001 - pytest's way
    settings: Settings,
    store: Store,
    mariadb: MariaDbServer,
) -> None:
    with running(settings) as relay:
        write(store, 2000)
        wait_until(lambda: relay.published > 0)
        (mariadb.stop if gently else mariadb.kill)()
        try:
            wait_until(lambda: not relay.is_active)
            time.sleep(1.5)  # several attempts
            assert relay.healthy
        finally:
            mariadb.start()
        store.close()  # its connections were to the server that is gone
        write(store, 100, began=2000)
        wait_until(lambda: not stored(store))
        assert relay.is_active
    assert first_appearances(published(settings.kafka)) == in_order(2100)
