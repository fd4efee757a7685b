"""Hearing changes of gyms, from the embedded Kafka and the real one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from confluent_kafka import Producer

from domain.ids import new_id
from integrations.kafka.gym_events import GymChange, GymEventListener
from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.parties import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Heard:
    """What a listener told."""

    def __init__(self) -> None:
        self.gyms: list[UUID] = []
        self.turns = 0

    def heard(self, changes: Sequence[GymChange]) -> None:
        self.gyms += [change.gym_id for change in changes]

    def turned(self) -> None:
        self.turns += 1


@asynccontextmanager
async def listening(settings: KafkaSettings) -> AsyncIterator[tuple[GymEventListener, Heard]]:
    heard = Heard()
    listener = GymEventListener(settings, asyncio.get_running_loop(), heard.heard, heard.turned)
    listener.start()
    try:
        yield listener, heard
    finally:
        await asyncio.to_thread(listener.close)


def tell(settings: KafkaSettings, *gyms: UUID, value: bytes | None = None) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers})
    for gym in gyms:
        told = value or b'{"type":"scan_decided","version":1,"gym_id":"' + str(gym).encode() + b'"}'
        producer.produce(settings.events_topic, told, key=str(gym))
    assert producer.flush(30) == 0


async def test_every_replica_hears_all_that_happens_from_its_start(settings: Settings) -> None:
    before, after = new_id(), [new_id() for _ in range(40)]  # so many keys lie in every partition
    await asyncio.to_thread(tell, settings.kafka, before)
    async with listening(settings.kafka) as (one, first), listening(settings.kafka) as (other, second):
        await until(lambda: one.following and other.following)
        await asyncio.to_thread(tell, settings.kafka, before, value=b"garbage")
        await asyncio.to_thread(tell, settings.kafka, *after)
        await until(lambda: len(first.gyms) >= 40 and len(second.gyms) >= 40)
        assert set(first.gyms) == set(second.gyms) == set(after)
        assert one.healthy
        assert first.turns == 1


async def test_without_kafka_nothing_is_followed_and_the_listener_is_well() -> None:
    async with listening(KafkaSettings(bootstrap_servers="127.0.0.1:1")) as (listener, heard):
        await asyncio.sleep(0.3)
        assert not listener.following
        assert listener.healthy
        assert heard.turns == 0


async def test_that_kafka_has_gone_is_noticed() -> None:
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 0, "error_cb": lambda _error: None})
    address = ",".join(f"{b.host}:{b.port}" for b in broker.list_topics("started", timeout=10).brokers.values())
    async with listening(KafkaSettings(bootstrap_servers=address)) as (listener, heard):
        await until(lambda: listener.following)
        del broker  # and the mock broker with it
        await until(lambda: not listener.following)
        await until(lambda: heard.turns == 2)
        assert listener.healthy
