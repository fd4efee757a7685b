"""Hearing the door's replies: one partition of `door-replies`, read by a thread, resolved in the event loop."""

import asyncio
import time
from threading import Event, Thread
from uuid import UUID
from zlib import crc32

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from integrations.kafka.clients import assigned_consumer_config, fetch_wait_ms
from integrations.kafka.messages import DoorReply, ReplyTo, decode_replies
from integrations.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_POLL_S = 0.2
_BUNDLES_AT_ONCE = 500
_ASK_BROKER_S = 2.0
_LONGEST_DELAY_S = 1.0
_POLLED_WITHIN_S = 10.0


class NotReadyError(Exception):
    """Replies cannot be heard yet: a command sent now might be answered unheard."""


class ReplyListener:
    """The replies for one replica, as futures of its event loop.

    It is ready once the offset from which it reads is known, and stays ready while Kafka is away:
    whatever is written from that offset on will be read.

    Args:
        settings: where Kafka is.
        replica_id: unique among the living replicas; it chooses the partition.
        loop: where the futures live. `expect` and `forget` are called there only.
    """

    def __init__(self, settings: KafkaSettings, replica_id: str, loop: asyncio.AbstractEventLoop) -> None:
        self._topic = settings.replies_topic
        self._replica_id = replica_id
        self._loop = loop
        self._settings = settings
        self._reply_to: ReplyTo | None = None
        self._pending: dict[UUID, asyncio.Future[DoorReply]] = {}
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="reply-listener", daemon=True)
        self._polled_at = time.monotonic()
        self.late_replies = 0  # for commands that nobody waits for any more, or again

    def start(self) -> None:
        """Begin to listen; `ready` tells when it has begun."""
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether every reply from now on will be heard."""
        return self._reply_to is not None

    @property
    def reply_to(self) -> ReplyTo:
        """What commands carry so that their replies arrive here.

        Raises:
            NotReadyError: before `ready`.
        """
        if self._reply_to is None:
            raise NotReadyError(self._replica_id)
        return self._reply_to

    @property
    def healthy(self) -> bool:
        """Whether the thread lives and has asked for replies a moment ago."""
        return self._thread.is_alive() and time.monotonic() - self._polled_at < _POLLED_WITHIN_S

    def expect(self, command_id: UUID) -> asyncio.Future[DoorReply]:
        """Register a future for a command's reply; before the command is produced."""
        future: asyncio.Future[DoorReply] = self._loop.create_future()
        self._pending[command_id] = future
        return future

    def forget(self, command_id: UUID) -> None:
        """Nobody waits for this reply any more."""
        self._pending.pop(command_id, None)

    def close(self) -> None:
        """Stop listening. Futures that are still open are left to their deadlines."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            consumer = self._begin()
            if consumer is None:
                return
            with consumer:
                while not self._stopping.is_set():
                    self._hear(consumer)
        except Exception:  # noqa: BLE001 - the last frame of this thread
            _log.exception("reply_listener_died")  # and `healthy` says so

    def _begin(self) -> Consumer | None:
        """A consumer that has its start; None when it was closed before Kafka could be asked."""
        delay_s = 0.05
        while not self._stopping.is_set():
            self._polled_at = time.monotonic()
            try:
                return self._open()
            except KafkaException as error:
                _log.warning("replies_not_ready", topic=self._topic, error=str(error))
                self._stopping.wait(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
        return None

    def _open(self) -> Consumer:
        wait_ms = fetch_wait_ms(self._settings)
        consumer = Consumer(assigned_consumer_config(self._settings, self._topic, wait_ms))
        try:
            self._reply_to = self._assign(consumer)
        except KafkaException:
            consumer.close()
            raise
        _log.info("replies_ready", topic=self._topic, partition=self._reply_to.partition)
        return consumer

    def _assign(self, consumer: Consumer) -> ReplyTo:
        topic = consumer.list_topics(self._topic, timeout=_ASK_BROKER_S).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        partition = crc32(self._replica_id.encode()) % len(topic.partitions)
        end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=_ASK_BROKER_S)[1]
        # From the number, not from "the end": that would be looked up later, behind the first replies.
        consumer.assign([TopicPartition(self._topic, partition, end)])
        return ReplyTo(replica=self._replica_id, partition=partition)

    def _hear(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL_S)
        self._polled_at = time.monotonic()
        if first is None:
            return
        replies: list[DoorReply] = []
        for message in (first, *consumer.consume(_BUNDLES_AT_ONCE, 0)):
            replies += self._mine(message)
        if replies:
            self._loop.call_soon_threadsafe(self._resolve, replies)

    def _mine(self, message: Message) -> list[DoorReply]:
        error = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaException(error)
            _log.warning("replies_not_read", topic=self._topic, error=error.str())
            return []
        try:
            bundle = decode_replies(message.value() or b"")
        except msgspec.DecodeError as undecodable:
            _log.warning("reply_not_decoded", offset=message.offset(), error=str(undecodable))
            return []
        return bundle.replies if bundle.replica == self._replica_id else []

    def _resolve(self, replies: list[DoorReply]) -> None:
        for reply in replies:
            future = self._pending.pop(reply.command_id, None)
            if future is None or future.done():
                self.late_replies += 1
            else:
                future.set_result(reply)
