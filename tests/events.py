"""What was published on a topic of events, read from its beginning."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from sqlalchemy import select

from domain.outbox import outbox
from domain.unit_of_work import Store
from integrations.kafka.clients import assigned_consumer_config
from integrations.kafka.leader_retry import retry_until_leader
from integrations.settings import KafkaSettings
from tests.servers import KAFKA_PATIENCE_S

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Published:
    """One message: the gym that it is of, and its payload."""

    key: str
    event: dict[str, Any]

    @property
    def id(self) -> str:
        found: str = self.event["event_id"]
        return found


def published(kafka: KafkaSettings) -> list[Published]:
    """Everything on the topic now; each gym's in the order of its partition."""
    reader = Consumer(assigned_consumer_config(kafka, "reader", 20))
    try:
        return list(_read(reader, kafka.events_topic))
    finally:
        reader.close()


def _read(reader: Consumer, topic: str) -> Iterable[Published]:
    marks = retry_until_leader(lambda: _marks(reader, topic), KAFKA_PATIENCE_S)
    reader.assign([TopicPartition(topic, number, first) for number, (first, _) in marks.items()])
    left = {number for number, (first, end) in marks.items() if end > first}
    give_up_at = time.monotonic() + PATIENCE_S
    while left:
        assert time.monotonic() < give_up_at, "the topic could not be read to its end"
        message = reader.poll(0.2)
        if message is None or message.error() is not None:
            continue
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        if offset + 1 >= marks[partition][1]:
            left.discard(partition)
        yield Published((message.key() or b"").decode(), msgspec.json.decode(message.value() or b""))


def _marks(reader: Consumer, topic: str) -> Mapping[int, tuple[int, int]]:
    """Of each partition the first offset and the one behind the last."""
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    return {number: reader.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions}


def first_appearances(messages: Iterable[Published]) -> Mapping[str, list[str]]:
    """Event ids of each gym, in the order in which whoever drops repeats sees them."""
    seen: dict[str, dict[str, None]] = {}
    for message in messages:
        seen.setdefault(message.key, {}).setdefault(message.id)
    return {key: list(ids) for key, ids in seen.items()}


def stored(store: Store) -> dict[str, list[str]]:
    """Event ids of each gym that wait in the outbox, in the order in which they were written."""
    found: dict[str, list[str]] = {}
    with store.reading() as connection:
        for key, payload in connection.execute(select(outbox.c.key, outbox.c.payload).order_by(outbox.c.id)):
            found.setdefault(key, []).append(msgspec.json.decode(payload)["event_id"])
    return found


def with_small_events(kafka: KafkaSettings, most_bytes: int) -> KafkaSettings:
    """A topic of events on which the broker refuses larger batches; a message that goes alone is a batch too."""
    name = f"small-{kafka.events_topic}"
    topic = NewTopic(name, 1, 1, config={"max.message.bytes": str(most_bytes)})
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for made in client.create_topics([topic]).values():
        made.result()
    return kafka.model_copy(update={"events_topic": name})
