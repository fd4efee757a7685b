"""Hearing the door's replies: one partition of `door-replies`, read by a thread, resolved in the event loop."""

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

_ASK_BROKER_S = 2.0


class NotReadyError(Exception):
    """Replies cannot be heard yet: a command sent now might be answered unheard."""


class ReplyListener(TopicListener):
    """The replies for one replica, as futures of its event loop.

    It is ready once the offset from which it reads is known, and stays ready while Kafka is away:
    whatever is written from that offset on will be read. Futures that are still open at the end are left to their
    deadlines.

    Args:
        settings: where Kafka is.
        replica_id: unique among the living replicas; it chooses the partition.
        loop: where the futures live. `expect` and `forget` are called there only.
    """

    def __init__(self, settings: KafkaSettings, replica_id: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(settings.replies_topic, "reply-listener")
        self._replica_id = replica_id
        self._loop = loop
        self._settings = settings
        self._reply_to: ReplyTo | None = None
        self._pending: dict[UUID, asyncio.Future[DoorReply]] = {}
        self.late_replies = 0  # for commands that nobody waits for any more, or again

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

    def expect(self, command_id: UUID) -> asyncio.Future[DoorReply]:
        """Register a future for a command's reply; before the command is produced."""
        future: asyncio.Future[DoorReply] = self._loop.create_future()
        self._pending[command_id] = future
        return future

    def forget(self, command_id: UUID) -> None:
        """Nobody waits for this reply any more."""
        self._pending.pop(command_id, None)

    def _consumer(self) -> Consumer:
        wait_ms = fetch_wait_ms(self._settings)
        return Consumer(assigned_consumer_config(self._settings, self._topic, wait_ms))

    def _assign(self, consumer: Consumer) -> None:
        topic = consumer.list_topics(self._topic, timeout=_ASK_BROKER_S).topics[self._topic]
        if topic.error is not None:
            raise KafkaException(topic.error)
        partition = crc32(self._replica_id.encode()) % len(topic.partitions)
        end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=_ASK_BROKER_S)[1]
        # From the number, not from "the end": that would be looked up later, behind the first replies.
        consumer.assign([TopicPartition(self._topic, partition, end)])
        self._reply_to = ReplyTo(replica=self._replica_id, partition=partition)
        _log.info("replies_ready", topic=self._topic, partition=partition)

    def _take(self, messages: list[Message]) -> None:
        replies = [reply for message in messages for reply in self._mine(message)]
        if replies:
            self._loop.call_soon_threadsafe(self._resolve, replies)

    def _mine(self, message: Message) -> list[DoorReply]:
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
