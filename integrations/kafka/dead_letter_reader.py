"""Reading the dead letters, and which of them were sent again."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from integrations.kafka.clients import Config, assigned_consumer_config, fetch_wait_ms
from integrations.kafka.leader_retry import once_returned
from integrations.kafka.messages import DeadLetter, decode_letter
from integrations.settings import KafkaSettings

_ASK_BROKER_S = 5.0
_PATIENCE_S = 10.0


class LetterId(NamedTuple):
    """Where a letter lies on its topic; stays the same for as long as it is kept."""

    partition: int
    offset: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Of the form `partition:offset`, as `str` writes it.

        Raises:
            ValueError: it is not of that form.
        """
        partition, _, offset = text.partition(":")
        if not (partition.isdecimal() and offset.isdecimal() and text.isascii()):
            raise ValueError(f"{text} is no letter's id; 0:17 is one")
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A message on `dead-letters`.

    Args:
        id: where it lies.
        written_at: by the broker's or the writer's clock, as the topic is set up.
        key: that of the message which could not be handled.
        letter: None when somebody put there what is no letter.
        raw: the letter's own bytes.
    """

    id: LetterId
    written_at: datetime
    key: bytes | None
    letter: DeadLetter | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class ReplayedMark:
    """That a letter was sent again, and when."""

    letter: LetterId
    at: datetime


class GoneError(Exception):
    """A message is not kept any more."""


class DeadLetterReader:
    """Reads the topic from its first letter to its last, as often as asked. Use as a context manager.

    Raises:
        KafkaException: Kafka is away.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.dead_letters_topic
        self._consumer = Consumer(_config(settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def entries(self) -> Iterator[StoredLetter | ReplayedMark]:
        """Letters and marks, those of one partition in their order, up to what is the end now.

        Raises:
            KafkaException: the topic cannot be read.
        """
        found = self._consumer.list_topics(self._topic, timeout=_ASK_BROKER_S).topics[self._topic]
        if found.error is not None:
            raise KafkaException(found.error)
        for message in _read(self._consumer, [TopicPartition(self._topic, number, 0) for number in found.partitions]):
            yield _entry(message)


def original(settings: KafkaSettings, letter: DeadLetter) -> Message:
    """The message that a letter is about, where it lay when it could not be handled.

    Raises:
        GoneError: its topic does not keep it any more.
        KafkaException: the topic cannot be read.
    """
    place = TopicPartition(letter.topic, letter.partition, letter.offset)
    consumer = Consumer(_config(settings))
    try:
        first, end = _bounds(consumer, place)
        if first <= letter.offset < end:
            message = next(_read(consumer, [place]), None)
            if message is not None and message.offset() == letter.offset:
                return message
    finally:
        consumer.close()
    raise GoneError(f"{letter.topic} does not keep the message {letter.partition}:{letter.offset} any more")


def _config(settings: KafkaSettings) -> Config:
    wait_ms = fetch_wait_ms(settings)
    return assigned_consumer_config(settings, "dead-letter-reader", wait_ms) | {"enable.partition.eof": True}


def _read(consumer: Consumer, starts: list[TopicPartition]) -> Iterator[Message]:
    ends = {start.partition: _bounds(consumer, start)[1] for start in starts}
    unread = {partition for partition, end in ends.items() if end > 0}
    consumer.assign([start for start in starts if start.partition in unread])
    while unread:
        message = consumer.poll(_PATIENCE_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's own name
        partition, offset, error = message.partition(), message.offset(), message.error()
        if partition is None or offset is None or (error is not None and error.retriable()):
            continue
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
            raise KafkaException(error)
        if error is not None or offset >= ends[partition] - 1:
            unread.discard(partition)
        # What came while the others were read is for the next reading.
        if error is None and offset < ends[partition]:
            yield message


def _bounds(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Offsets of the first message that is kept, and of the next that will be written."""
    bounds: tuple[int, int] = once_returned(lambda: consumer.get_watermark_offsets(partition, timeout=_ASK_BROKER_S))
    return bounds


def _entry(message: Message) -> StoredLetter | ReplayedMark:
    at = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
    raw = message.value() or b""
    here = LetterId(message.partition() or 0, message.offset() or 0)
    try:
        found = decode_letter(raw)
    except msgspec.DecodeError:
        return StoredLetter(here, at, message.key(), None, raw)
    if isinstance(found, DeadLetter):
        return StoredLetter(here, at, message.key(), found, raw)
    return ReplayedMark(LetterId(found.partition, found.offset), at)
