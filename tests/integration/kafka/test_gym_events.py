"""Changes of gyms, received from the mock broker and from Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from confluent_kafka import Producer

from domain.ids import new_id
from integrations.kafka.gym_events import GymChange, GymEventListener
from integrations.settings import KafkaSettings, Settings
from tests.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Received:
    """What a listener reported."""

    def __init__(self) -> None:
        self.gyms: list[UUID] = []
        self.following_changes = 0

    def on_changes(self, changes: Sequence[GymChange]) -> None:
        self.gyms += [change.gym_id for change in changes]

    def on_following_changed(self) -> None:
        self.following_changes += 1


@asynccontextmanager
async def listening(settings: KafkaSettings) -> AsyncIterator[tuple[GymEventListener, Received]]:
    received = Received()
    listener = GymEventListener(
        settings, asyncio.get_running_loop(), received.on_changes, received.on_following_changed
    )
    listener.start()
    try:
        yield listener, received
    finally:
        await asyncio.to_thread(listener.close)


def publish(settings: KafkaSettings, *gyms: UUID, value: bytes | None = None) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for gym in gyms:
        event = value or b'{"type":"scan_decided","version":1,"gym_id":"' + str(gym).encode() + b'"}'
        producer.produce(settings.events_topic, event, key=str(gym))
    assert producer.flush(30) == 0


async def test_every_replica_receives_all_changes_since_its_start(settings: Settings) -> None:
    before, after = new_id(), [new_id() for _ in range(40)]  # enough keys for every partition
    await asyncio.to_thread(publish, settings.kafka, before)
    async with listening(settings.kafka) as (one, first), listening(settings.kafka) as (other, second):
        await eventually(lambda: one.following and other.following)
        await asyncio.to_thread(publish, settings.kafka, before, value=b"garbage")
        await asyncio.to_thread(publish, settings.kafka, *after)
        await eventually(lambda: len(first.gyms) >= 40 and len(second.gyms) >= 40)
        assert set(first.gyms) == set(second.gyms) == set(after)
        assert one.healthy
        assert first.following_changes == 1


async def test_without_kafka_the_listener_is_healthy_and_not_following() -> None:
    async with listening(KafkaSettings(bootstrap_servers="127.0.0.1:1")) as (listener, received):
        await asyncio.sleep(0.3)
        assert not listener.following
        assert listener.healthy
        assert received.following_changes == 0


async def test_the_loss_of_kafka_is_detected() -> None:
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 0, "error_cb": lambda _error: None})
    address = ",".join(f"{b.host}:{b.port}" for b in broker.list_topics("started", timeout=10).brokers.values())
    async with listening(KafkaSettings(bootstrap_servers=address)) as (listener, received):
        await eventually(lambda: listener.following)
        del broker  # and the mock broker with it
        await eventually(lambda: not listener.following)
        await eventually(lambda: received.following_changes == 2)
        assert listener.healthy
