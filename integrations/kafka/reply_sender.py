"""Sending replies to the replicas that asked."""

from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from integrations.kafka.clients import is_fatal, producer_config
from integrations.kafka.messages import DoorReplies, DoorReply, ReplyTo, encode
from integrations.settings import Settings

_log = structlog.get_logger(__name__)


class ReplySender:
    """Produces bundles of replies on `door-replies`. A lost one is counted, no more.

    The decision is stored by then: whoever asks again by the same scan id gets it.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.kafka.replies_topic
        self._patience_s = settings.door.deadline_s  # a door waits no longer
        config = producer_config(settings.kafka, self._patience_s) | {"delivery.report.only.error": True}
        self._producer = Producer(config)
        self.lost = 0

    def send(self, reply_to: ReplyTo, replies: Sequence[DoorReply]) -> None:
        """Enqueue all replies of one batch for one replica as one message.

        Raises:
            KafkaException: this producer is beyond use and must be made anew.
        """
        bundle = encode(DoorReplies(replica=reply_to.replica, replies=list(replies)))
        try:
            self._producer.produce(self._topic, bundle, partition=reply_to.partition, on_delivery=self._reported)
        except (BufferError, KafkaException) as error:
            if is_fatal(error):
                raise
            self._count(str(error))

    def serve_reports(self) -> None:
        """Take notice of what could not be delivered."""
        self._producer.poll(0)

    def close(self) -> None:
        """Send what is queued, for no longer than anyone waits for it."""
        self._producer.flush(self._patience_s)

    def _reported(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._count(error.str())

    def _count(self, error: str) -> None:
        self.lost += 1
        _log.warning("replies_not_sent", error=error)
