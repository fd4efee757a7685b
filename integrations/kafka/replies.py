"""Receives the door's replies: a thread reads one partition of `door-replies` and resolves futures in an event loop."""

import asyncio
from uuid import UUID
from zlib import crc32

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from integrations.kafka.clients import assigned_consumer_config, fetch_wait_ms
from integrations.kafka.messages import DoorReply, ReplyTo, decode_replies
from integrations.kafka.topic_listener import TopicListener
from integrations.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_BROKER_TIMEOUT_S = 2.0


class RepliesNotReadyError(Exception):
    """The listener has no position yet, so it could miss the reply to a command that is sent now."""


class ReplyListener(TopicListener):
    """The replies to one replica, as futures in its event loop.

    It is ready once it knows the offset to read from. It stays ready while Kafka is unavailable, because it reads
    everything from that offset on. When it is closed, open futures stay open until their deadlines.

    Args:
        settings: of Kafka.
        replica_id: unique among living replicas. It determines the partition.
        loop: where the futures live. Call `expect` and `forget` only there.

    Attributes:
        late_replies: replies to commands that nobody waits for.
    """

    def __init__(self, settings: KafkaSettings, replica_id: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(settings.replies_topic, "reply-listener")
        self._replica_id = replica_id
        self._loop = loop
        self._settings = settings
        self._reply_to: ReplyTo | None = None
        self._pending: dict[UUID, asyncio.Future[DoorReply]] = {}
        self.late_replies = 0

    @property
    def ready(self) -> bool:
        """Whether every reply from now on will be read."""
        return self._reply_to is not None

    @property
    def reply_to(self) -> ReplyTo:
        """The address that commands carry, so that their replies arrive here.

        Raises:
            RepliesNotReadyError: the listener is not ready yet.
        """
        if self._reply_to is None:
            raise RepliesNotReadyError(self._replica_id)
        return self._reply_to

    def expect(self, command_id: UUID) -> asyncio.Future[DoorReply]:
        """Register a future for the reply to a command, before the command is produced."""
        future: asyncio.Future[DoorReply] = self._loop.create_future()
        self._pending[command_id] = future
        return future

    def forget(self, command_id: UUID) -> None:
        """Remove the future of a command."""
        self._pending.pop(command_id, None)

    def _open_consumer(self) -> Consumer:
        wait_ms = fetch_wait_ms(self._settings)
        return Consumer(assigned_consumer_config(self._settings, self._topic, wait_ms))

    def _assign(self, consumer: Consumer) -> None:
        topic = consumer.list_topics(self._topic, timeout=_BROKER_TIMEOUT_S).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        partition = crc32(self._replica_id.encode()) % len(topic.partitions)
        end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=_BROKER_TIMEOUT_S)[1]
        # A number and not OFFSET_END, which is resolved later and would skip the first replies.
        consumer.assign([TopicPartition(self._topic, partition, end)])
        self._reply_to = ReplyTo(replica=self._replica_id, partition=partition)
        _log.info("replies_ready", topic=self._topic, partition=partition)

    def _process(self, messages: list[Message]) -> None:
        replies = [reply for message in messages for reply in self._own_replies(message)]
        if replies:
            self._loop.call_soon_threadsafe(self._resolve, replies)

    def _own_replies(self, message: Message) -> list[DoorReply]:
        try:
            bundle = decode_replies(message.value() or b"")
        except msgspec.DecodeError as error:
            _log.warning("reply_not_decoded", offset=message.offset(), error=str(error))
            return []
        return bundle.replies if bundle.replica == self._replica_id else []

    def _resolve(self, replies: list[DoorReply]) -> None:
        for reply in replies:
            future = self._pending.pop(reply.command_id, None)
            if future is None or future.done():
                self.late_replies += 1
            else:
                future.set_result(reply)
