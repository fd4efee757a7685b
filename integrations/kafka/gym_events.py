"""Hearing which gyms have changed: all of `gym-events` from its end, read by a thread, told in the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from integrations.kafka.clients import assigned_consumer_config, fetch_wait_ms
from integrations.kafka.topic_listener import TopicListener
from integrations.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_NAME = "live-view"  # nobody joins a group of this name
_LEAST_WAIT_MS = 50
_LOOK_EVERY_S = 2.0
_ASK_BROKER_S = 1.0


class GymChange(NamedTuple):
    """That something happened at a gym, and when it was decided, where the event says so."""

    gym_id: UUID
    decided_at: datetime | None


class _Told(msgspec.Struct, frozen=True):
    """What is needed of any event on the topic, of whatever type and version."""

    gym_id: UUID
    decided_at: datetime | None = None
    annulled_at: datetime | None = None
    reopened_at: datetime | None = None


_events = msgspec.json.Decoder(_Told)


def read_change(value: bytes) -> GymChange:
    """The change that a value of `gym-events` tells of.

    Raises:
        msgspec.DecodeError: it names no gym.
    """
    told = _events.decode(value)
    return GymChange(told.gym_id, told.decided_at or told.annulled_at or told.reopened_at)


class GymEventListener(TopicListener):
    """The changes of all gyms, for one event loop. It belongs to no group: every replica hears everything.

    Events only say that a gym has changed, so none is read again: what was missed shows in the gym itself.

    Args:
        settings: where Kafka is.
        loop: where the two are called.
        heard: is told of changes, several at once.
        turned: is told that `following` has changed.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[Sequence[GymChange]], None],
        turned: Callable[[], None],
    ) -> None:
        self._settings = settings
        super().__init__(settings.events_topic, "gym-events")
        self._loop = loop
        self._heard = heard
        self._turned = turned
        self._partitions: frozenset[int] = frozenset()
        self._following = False

    @property
    def following(self) -> bool:
        """Whether changes are heard: it has begun, and a moment ago Kafka was there with every partition."""
        return self._following

    def _consumer(self) -> Consumer:
        # The mock broker is asked again after each wait, and who watches can wait longer than a door.
        wait_ms = max(_LEAST_WAIT_MS, fetch_wait_ms(self._settings))
        config = assigned_consumer_config(self._settings, _NAME, wait_ms)
        # A topic that was made anew has nothing to tell that the gyms do not show.
        return Consumer(config | {"auto.offset.reset": "latest"})

    def _assign(self, consumer: Consumer) -> None:
        self._partitions = self._found(consumer)
        ends = [self._end(consumer, number) for number in self._partitions]
        consumer.assign(ends)
        _log.info("events_ready", topic=self._topic, partitions=len(ends))
        self._turn(following=True)

    def _end(self, consumer: Consumer, number: int) -> TopicPartition:
        # A number, not "the end": that would be looked up later, behind what is written by then.
        end = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_ASK_BROKER_S)[1]
        return TopicPartition(self._topic, number, end)

    def _found(self, consumer: Consumer) -> frozenset[int]:
        """The topic's partitions, each with a leader that can be read from."""
        topic = consumer.list_topics(self._topic, timeout=_ASK_BROKER_S).topics[self._topic]
        for error in (topic.error, *(partition.error for partition in topic.partitions.values())):
            if error is not None:
                raise KafkaException(error)
        if any(partition.leader < 0 for partition in topic.partitions.values()):
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return frozenset(topic.partitions)

    def _run(self) -> None:
        super()._run()
        if not self._stopping.is_set():  # by a failure
            self._turn(following=False)

    def _listen(self, consumer: Consumer) -> None:
        look_at = time.monotonic() + _LOOK_EVERY_S
        while not self._stopping.is_set():
            self._hear(consumer)
            if time.monotonic() >= look_at:
                self._look(consumer)
                look_at = time.monotonic() + _LOOK_EVERY_S

    def _look(self, consumer: Consumer) -> None:
        """See whether Kafka is there: a consumer whose broker is away hears silence."""
        try:
            found = self._found(consumer)
        except KafkaException as error:
            if self._following:
                _log.warning("events_not_followed", topic=self._topic, error=str(error))
            self._turn(following=False)
            return
        if added := found - self._partitions:
            consumer.incremental_assign([TopicPartition(self._topic, number, 0) for number in added])
            self._partitions = found
        self._turn(following=True)

    def _take(self, messages: list[Message]) -> None:
        changes = [change for message in messages for change in _changes(message)]
        if changes:
            self._loop.call_soon_threadsafe(self._heard, changes)

    def _turn(self, *, following: bool) -> None:
        if following != self._following:
            self._following = following
            self._loop.call_soon_threadsafe(self._turned)


def _changes(message: Message) -> list[GymChange]:
    try:
        return [read_change(message.value() or b"")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as undecodable:
        _log.warning("event_not_decoded", offset=message.offset(), error=str(undecodable))
        return []
