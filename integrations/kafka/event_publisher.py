"""Putting the outbox's events on their topics."""

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

_STEP_S = 0.2
# What Kafka holds against a message itself, or against the batch that it came in.
_OWN_FAULT = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
}


class Failure(NamedTuple):
    """Why events were not delivered. `own_fault`: by what they are, not by the state of things."""

    reason: str
    own_fault: bool


class EventPublisher:
    """Publishes events and waits until Kafka has them, for as long as it takes. For one thread.

    Its producer is opened when it is needed. Nothing expires in it: an event given up by the clock while the next one
    is sent would arrive after it.

    Args:
        settings: where Kafka is, and its topics.
        open_producer: makes a client of a configuration.
    """

    def __init__(self, settings: KafkaSettings, open_producer: Callable[[Config], Producer] = Producer) -> None:
        self._settings = settings
        self._open_producer = open_producer
        self._topics = {TOPIC: settings.events_topic}
        self._producer: Producer | None = None
        self._failures: dict[Order, Failure] = {}

    def publish(self, events: Sequence[WaitingEvent], waiting: Callable[[], None]) -> Mapping[Order, Failure]:
        """Publish events in their order.

        Args:
            events: oldest first.
            waiting: called several times a second while Kafka has not answered. What it raises ends the wait; then
                `drop` what is still under way.

        Returns:
            The orders of which not every event was delivered, and why. Of those, some may have been.
        """
        self._failures = {}
        producer = self._producer = self._producer or self._open_producer(_config(self._settings))
        try:
            for topic in dict.fromkeys(event.topic for event in events):
                self._enqueue(producer, topic, [event for event in events if event.topic == topic])
            while producer.flush(_STEP_S):
                waiting()
        except (BufferError, KafkaException, SystemError) as error:
            # A client that breaks down raises from within its reports, and Python calls that a SystemError.
            _log.warning("event_producer_broken", error=str(error))
            self.drop()
            return {event.order: Failure(str(error), own_fault=False) for event in events}
        return self._failures

    def bury(self, event: WaitingEvent, reason: str) -> None:
        """Write an event that Kafka will not have to the dead letters. Its place there tells its number.

        Raises:
            DeadLettersAwayError: it could not be written.
        """
        writer = DeadLetterWriter(self._settings)
        try:
            writer.write([(self._as_message(event), f"from the outbox, with its number as offset: {reason}")])
        finally:
            writer.close()

    def drop(self) -> None:
        """Forget the producer and whatever it has not sent; the next call opens another."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _enqueue(self, producer: Producer, topic: str, events: Sequence[WaitingEvent]) -> None:
        messages: list[dict[str, Any]] = [{"key": event.key, "value": event.payload} for event in events]

        def reported(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failed((topic, (message.key() or b"").decode()), error)

        taken = producer.produce_batch(self._topics.get(topic, topic), messages, on_delivery=reported)
        if taken < len(messages):
            for event, message in zip(events, messages, strict=True):
                if "_error" in message:
                    self._failed(event.order, message["_error"])

    def _failed(self, order: Order, error: KafkaError) -> None:
        self._failures.setdefault(order, Failure(error.str(), own_fault=error.code() in _OWN_FAULT))

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
        "linger.ms": 100,  # over by the flush that follows; until then a batch may fill
        # A message beyond this comes alone, so that one that is refused for its size takes few others with it.
        "batch.size": 64 * 1024,
        "delivery.report.only.error": True,
    }
