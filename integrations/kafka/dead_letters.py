"""Writes messages that cannot be handled to `dead-letters`, each with the reason."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from domain.errors import UnavailableError
from integrations.kafka.clients import producer_config
from integrations.kafka.messages import DeadLetter, encode
from integrations.settings import KafkaSettings

_DELIVERY_TIMEOUT_S = 5.0
_MAX_REASON_LENGTH = 500
# Key and value together. As base64 they stay below the 1 MB that brokers and clients accept. A letter that is too large
# would block its partition for ever.
_MAX_WHOLE_BYTES = 512 * 1024
_EXCERPT_BYTES = 4 * 1024


class DeadLettersUnavailableError(UnavailableError):
    """A dead letter could not be written. The message must stay pending until it can."""


class DeadLetterWriter:
    """Writes dead letters and waits for their delivery. For one thread.

    Args:
        settings: of Kafka.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.dead_letters_topic
        self._producer = Producer(producer_config(settings, _DELIVERY_TIMEOUT_S))

    def write(self, letters: Sequence[tuple[Message, str]]) -> None:
        """Write messages, each with the reason why it cannot be handled.

        Raises:
            DeadLettersUnavailableError: not every letter was delivered. Those that were may come twice.
        """
        deliveries = _DeliveryCount()
        try:
            for message, reason in letters:
                self._produce(message, reason, deliveries)
            self._producer.flush(2 * _DELIVERY_TIMEOUT_S)
        except (BufferError, KafkaException) as error:
            raise DeadLettersUnavailableError(str(error)) from error
        if deliveries.delivered < len(letters):
            raise DeadLettersUnavailableError(f"{len(letters) - deliveries.delivered} dead letters not delivered")

    def close(self) -> None:
        """Close the producer. Nothing is queued between writes."""
        self._producer.flush(0)

    def _produce(self, message: Message, reason: str, deliveries: "_DeliveryCount") -> None:
        key, value = message.key(), message.value()
        whole = len(key or b"") + len(value or b"") <= _MAX_WHOLE_BYTES
        if not whole:
            key = key if key is None or len(key) <= _EXCERPT_BYTES else None
            value = value and value[:_EXCERPT_BYTES]
        letter = DeadLetter(
            reason=reason[:_MAX_REASON_LENGTH],
            topic=message.topic() or "",
            partition=_or_minus_one(message.partition()),
            offset=_or_minus_one(message.offset()),
            value=value,
            whole=whole,
        )
        self._producer.produce(self._topic, encode(letter), key=key, on_delivery=deliveries.on_report)


class _DeliveryCount:
    """Counts deliveries of one write. Late reports of an earlier write go to the count of that write."""

    def __init__(self) -> None:
        self.delivered = 0

    def on_report(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1


def _or_minus_one(number: int | None) -> int:
    return -1 if number is None else number
