"""Receives changes of gyms: a thread reads all of `gym-events` and reports them in an event loop."""

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

_GROUP_ID = "live-view"  # no client joins this group
_MIN_FETCH_WAIT_MS = 50
_TOPIC_CHECK_INTERVAL_S = 2.0
_BROKER_TIMEOUT_S = 1.0


class GymChange(NamedTuple):
    """A change at a gym, and when it was decided; None: the event does not say."""

    gym_id: UUID
    decided_at: datetime | None


class _AnyGymEvent(msgspec.Struct, frozen=True):
    """The fields that are read from an event of any type and version."""

    gym_id: UUID
    decided_at: datetime | None = None
    annulled_at: datetime | None = None
    reopened_at: datetime | None = None


_decoder = msgspec.json.Decoder(_AnyGymEvent)


def read_change(value: bytes) -> GymChange:
    """Decode a value of `gym-events`.

    Raises:
        msgspec.DecodeError: it names no gym.
    """
    event = _decoder.decode(value)
    return GymChange(event.gym_id, event.decided_at or event.annulled_at or event.reopened_at)


class GymEventListener(TopicListener):
    """The changes of all gyms, for one event loop. It joins no group, so each replica receives all events.

    It starts at the end of the topic: an event only says that a gym has changed, and the gym itself can be read.

    Args:
        settings: of Kafka.
        loop: where the two callbacks run.
        on_changes: receives changes, several at once.
        on_following_changed: called when `following` has changed.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        loop: asyncio.AbstractEventLoop,
        on_changes: Callable[[Sequence[GymChange]], None],
        on_following_changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        super().__init__(settings.events_topic, "gym-events")
        self._loop = loop
        self._on_changes = on_changes
        self._on_following_changed = on_following_changed
        self._partitions: frozenset[int] = frozenset()
        self._following = False

    @property
    def following(self) -> bool:
        """Whether changes are received: the last check found Kafka with a leader for each partition."""
        return self._following

    def _open_consumer(self) -> Consumer:
        # The mock broker is polled in this interval, and viewers can wait longer than doors.
        wait_ms = max(_MIN_FETCH_WAIT_MS, fetch_wait_ms(self._settings))
        config = assigned_consumer_config(self._settings, _GROUP_ID, wait_ms)
        return Consumer(config | {"auto.offset.reset": "latest"})

    def _assign(self, consumer: Consumer) -> None:
        self._partitions = self._available_partitions(consumer)
        ends = [self._end(consumer, number) for number in self._partitions]
        consumer.assign(ends)
        _log.info("gym_events_ready", topic=self._topic, partitions=len(ends))
        self._set_following(following=True)

    def _end(self, consumer: Consumer, number: int) -> TopicPartition:
        # A number and not OFFSET_END, which is resolved later and would skip the first events.
        end = consumer.get_watermark_offsets(TopicPartition(self._topic, number), timeout=_BROKER_TIMEOUT_S)[1]
        return TopicPartition(self._topic, number, end)

    def _available_partitions(self, consumer: Consumer) -> frozenset[int]:
        """The partitions of the topic.

        Raises:
            KafkaException: one of them has no leader.
        """
        topic = consumer.list_topics(self._topic, timeout=_BROKER_TIMEOUT_S).topics[self._topic]
        for error in (topic.error, *(partition.error for partition in topic.partitions.values())):
            if error is not None:
                raise KafkaException(error)
        if any(partition.leader < 0 for partition in topic.partitions.values()):
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return frozenset(topic.partitions)

    def _run(self) -> None:
        super()._run()
        if not self._stopping.is_set():  # the thread has failed
            self._set_following(following=False)

    def _read(self, consumer: Consumer) -> None:
        check_at = time.monotonic() + _TOPIC_CHECK_INTERVAL_S
        while not self._stopping.is_set():
            self._poll(consumer)
            if time.monotonic() >= check_at:
                self._check_topic(consumer)
                check_at = time.monotonic() + _TOPIC_CHECK_INTERVAL_S

    def _check_topic(self, consumer: Consumer) -> None:
        """Check that Kafka responds, because a consumer without its broker only sees silence; add new partitions."""
        try:
            available = self._available_partitions(consumer)
        except KafkaException as error:
            if self._following:
                _log.warning("gym_events_unavailable", topic=self._topic, error=str(error))
            self._set_following(following=False)
            return
        if added := available - self._partitions:
            consumer.incremental_assign([TopicPartition(self._topic, number, 0) for number in added])
            self._partitions = available
        self._set_following(following=True)

    def _process(self, messages: list[Message]) -> None:
        changes = [change for message in messages for change in _decode_change(message)]
        if changes:
            self._loop.call_soon_threadsafe(self._on_changes, changes)

    def _set_following(self, *, following: bool) -> None:
        if following != self._following:
            self._following = following
            self._loop.call_soon_threadsafe(self._on_following_changed)


def _decode_change(message: Message) -> list[GymChange]:
    try:
        return [read_change(message.value() or b"")]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _log.warning("event_not_decoded", offset=message.offset(), error=str(error))
        return []
