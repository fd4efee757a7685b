"""Reads `dead-letters`: the letters, and which of them were replayed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from integrations.kafka.clients import Config, assigned_consumer_config, fetch_wait_ms
from integrations.kafka.leader_retry import retry_until_leader
from integrations.kafka.messages import DeadLetter, decode_dead_letter
from integrations.settings import KafkaSettings

_BROKER_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 10.0


class LetterId(NamedTuple):
    """The position of a letter on its topic. It never changes."""

    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse `partition:offset`, the format of `str(letter_id)`.

        Raises:
            ValueError: the text has another format.
        """
        partition, _, offset = text.partition(":")
        if not (partition.isdecimal() and offset.isdecimal() and text.isascii()):
            raise ValueError(f"{text} is not the id of a dead letter. An id looks like 0:17")
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A message on `dead-letters`.

    Args:
        id: its position.
        written_at: by the clock of the broker or of the producer, depending on the topic's configuration.
        key: the key of the message that could not be handled.
        letter: None when the message is not a dead letter.
        raw: its value as bytes.
    """

    id: LetterId
    written_at: datetime
    key: bytes | None
    letter: DeadLetter | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ReplayedMark:
    """The record that a letter was replayed, and when."""

    letter: LetterId
    at: datetime


class MessageDeletedError(Exception):
    """The topic has deleted a message because of its retention."""


class DeadLetterReader:
    """Reads the topic from its first to its last letter, as often as needed. Use as a context manager.

    Args:
        settings: of Kafka.

    Raises:
        KafkaException: Kafka is unavailable.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.dead_letters_topic
        self._consumer = Consumer(_config(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def entries(self) -> Iterator[StoredLetter | ReplayedMark]:
        """Letters and marks up to the present end of the topic, in order per partition.

        Raises:
            KafkaException: the topic cannot be read.
        """
        topic = self._consumer.list_topics(self._topic, timeout=_BROKER_TIMEOUT_S).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        for message in _read(self._consumer, [TopicPartition(self._topic, number, 0) for number in topic.partitions]):
            yield _entry(message)


def read_original(settings: KafkaSettings, letter: DeadLetter) -> Message:
    """Read the message that could not be handled from its original topic.

    Raises:
        MessageDeletedError: the topic has deleted it.
        KafkaException: the topic cannot be read.
    """
    position = TopicPartition(letter.topic, letter.partition, letter.offset)
    consumer = Consumer(_config(settings))
    try:
        first, end = _watermarks(consumer, position)
        if first <= letter.offset < end:
            message = next(_read(consumer, [position]), None)
            if message is not None and message.offset() == letter.offset:
                return message
    finally:
        consumer.close()
    raise MessageDeletedError(f"Topic {letter.topic} does not keep message {letter.partition}:{letter.offset} any more")


def _config(settings: KafkaSettings) -> Config:
    wait_ms = fetch_wait_ms(settings)
    return assigned_consumer_config(settings, "dead-letter-reader", wait_ms) | {"enable.partition.eof": True}


def _read(consumer: Consumer, starts: list[TopicPartition]) -> Iterator[Message]:
    ends = {start.partition: _watermarks(consumer, start)[1] for start in starts}
    unread = {partition for partition, end in ends.items() if end > 0}
    consumer.assign([start for start in starts if start.partition in unread])
    while unread:
        message = consumer.poll(_READ_TIMEOUT_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's own name
        partition, offset, error = message.partition(), message.offset(), message.error()
        if partition is None or offset is None or (error is not None and error.retriable()):
            continue
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
            raise KafkaException(error)
        if error is not None or offset >= ends[partition] - 1:
            unread.discard(partition)
        # Messages that arrived since the start are skipped.
        if error is None and offset < ends[partition]:
            yield message


def _watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Offset of the first message, and of the next message to be written."""
    offsets: tuple[int, int] = retry_until_leader(
        lambda: consumer.get_watermark_offsets(partition, timeout=_BROKER_TIMEOUT_S)
    )
    return offsets


def _entry(message: Message) -> StoredLetter | ReplayedMark:
    at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    raw = message.value() or b""
    id_ = LetterId(message.partition() or 0, message.offset() or 0)
    try:
        decoded = decode_dead_letter(raw)
    except msgspec.DecodeError:
        return StoredLetter(id_, at, message.key(), None, raw)
    if isinstance(decoded, DeadLetter):
        return StoredLetter(id_, at, message.key(), decoded, raw)
    return ReplayedMark(LetterId(decoded.partition, decoded.offset), at)
