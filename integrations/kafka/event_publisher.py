"""Publishes events of the outbox to Kafka."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from domain.door.events import TOPIC
from domain.outbox import Order, WaitingEvent
from integrations.kafka.clients import Config, producer_config
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_FLUSH_STEP_S = 0.2
# Kafka rejects the message itself, or the batch that it was in.
_REJECTIONS = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
}


class DeliveryFailure(NamedTuple):
    """Why events were not delivered.

    Args:
        rejected: Kafka rejects the event itself, so a retry cannot help.
    """

    reason: str
    rejected: bool


class EventPublisher:
    """Publishes events and waits for their delivery without a limit. For one thread.

    It opens its producer on first use. Messages never expire in the producer: an event that expires while a later one
    is sent would arrive after it.

    Args:
        settings: of Kafka.
        open_producer: opens a client with a configuration.
    """

    def __init__(self, settings: KafkaSettings, open_producer: Callable[[Config], Producer] = Producer) -> None:
        self._settings = settings
        self._open_producer = open_producer
        self._topics = {TOPIC: settings.events_topic}
        self._producer: Producer | None = None
        self._failures: dict[Order, DeliveryFailure] = {}

    def publish(
        self, events: Sequence[WaitingEvent], while_waiting: Callable[[], None]
    ) -> Mapping[Order, DeliveryFailure]:
        """Publish events in order.

        Args:
            events: oldest first.
            while_waiting: called several times a second while Kafka has not answered. An exception from it ends the
                wait; call `drop` afterwards.

        Returns:
            The orders of which not all events were delivered, and why. Some events of these orders may be delivered.
        """
        self._failures = {}
        producer = self._producer = self._producer or self._open_producer(_config(self._settings))
        try:
            for topic in dict.fromkeys(event.topic for event in events):
                self._enqueue(producer, topic, [event for event in events if event.topic == topic])
            while producer.flush(_FLUSH_STEP_S):
                while_waiting()
        except (BufferError, KafkaException, SystemError) as error:
            # An exception inside a delivery callback of the client arrives as a SystemError.
            _log.warning("event_producer_failed", error=str(error))
            self.drop()
            return {event.order: DeliveryFailure(str(error), rejected=False) for event in events}
        return self._failures

    def write_dead_letter(self, event: WaitingEvent, reason: str) -> None:
        """Write an event that Kafka rejects to the dead letters. The letter's offset is the event's id in the outbox.

        Raises:
            DeadLettersUnavailableError: it could not be written.
        """
        writer = DeadLetterWriter(self._settings)
        try:
            writer.write([(self._as_message(event), f"from the outbox, with its id as offset: {reason}")])
        finally:
            writer.close()

    def drop(self) -> None:
        """Close the producer and drop its unsent messages. The next call opens another."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _enqueue(self, producer: Producer, topic: str, events: Sequence[WaitingEvent]) -> None:
        messages: list[dict[str, Any]] = [{"key": event.key, "value": event.payload} for event in events]

        def on_report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._add_failure((topic, (message.key() or b"").decode()), error)

        enqueued = producer.produce_batch(self._topics.get(topic, topic), messages, on_delivery=on_report)
        if enqueued < len(messages):
            for event, message in zip(events, messages, strict=True):
                if "_error" in message:
                    self._add_failure(event.order, message["_error"])

    def _add_failure(self, order: Order, error: KafkaError) -> None:
        self._failures.setdefault(order, DeliveryFailure(error.str(), rejected=error.code() in _REJECTIONS))

    def _as_message(self, event: WaitingEvent) -> Message:
        return Message(
            topic=self._topics.get(event.topic, event.topic),
            offset=event.id,
            key=event.key.encode(),
            value=event.payload.encode(),
        )


def _config(settings: KafkaSettings) -> Config:
    return producer_config(settings, 0) | {
        "message.timeout.ms": 0,  # never
        "linger.ms": 100,  # ended by the flush that follows; until then a batch may fill
        # A larger message is sent alone, so that few others are rejected with it.
        "batch.size": 64 * 1024,
        "delivery.report.only.error": True,
    }
