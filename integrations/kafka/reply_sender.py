"""Sends replies to the replicas that wait for them."""

from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from integrations.kafka.clients import is_fatal, producer_config
from integrations.kafka.messages import DoorReplies, DoorReply, ReplyTo, encode
from integrations.settings import Settings

_log = structlog.get_logger(__name__)


class ReplySender:
    """Produces replies on `door-replies`. A lost message is only counted.

    The decision is committed by then, so the caller gets it by repeating the same scan id.

    Args:
        settings: Kafka, and the deadline of commands.

    Attributes:
        lost: messages that were not delivered.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka.replies_topic
        self._timeout_s = settings.door.deadline_s  # no door waits longer
        config = producer_config(settings.kafka, self._timeout_s) | {"delivery.report.only.error": True}
        self._producer = Producer(config)
        self.lost = 0

    def send(self, reply_to: ReplyTo, replies: Sequence[DoorReply]) -> None:
        """Enqueue the replies of one batch to one replica, as one message.

        Raises:
            KafkaException: a fatal error. The producer must be replaced.
        """
        message = encode(DoorReplies(replica=reply_to.replica, replies=list(replies)))
        try:
            self._producer.produce(self._topic, message, partition=reply_to.partition, on_delivery=self._on_report)
        except (BufferError, KafkaException) as error:
            if is_fatal(error):
                raise
            self._count_lost(str(error))

    def serve_reports(self) -> None:
        """Process delivery reports."""
        self._producer.poll(0)

    def close(self) -> None:
        """Deliver what is queued, for at most the deadline of commands."""
        self._producer.flush(self._timeout_s)

    def _on_report(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._count_lost(error.str())

    def _count_lost(self, error: str) -> None:
        self.lost += 1
        _log.warning("replies_not_delivered", error=error)
