"""The dead letters: messages that could not be handled, kept with the reason."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from integrations.kafka.clients import producer_config
from integrations.kafka.messages import DeadLetter, encode
from integrations.settings import KafkaSettings

_PATIENCE_S = 5.0
_LONGEST_REASON = 500
# Of key and value together; as base64 that leaves room below the million bytes that brokers and clients take. A letter
# that nobody takes would hold up its partition for ever.
_CARRIED_BYTES = 512 * 1024
_GLIMPSE_BYTES = 4 * 1024


class DeadLettersAwayError(Exception):
    """A dead letter could not be written. The message must stay where it is until it can be."""


class DeadLetterWriter:
    """Writes dead letters and waits until Kafka has them. For one thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._topic = settings.dead_letters_topic
        self._producer = Producer(producer_config(settings, _PATIENCE_S))

    def write(self, letters: Sequence[tuple[Message, str]]) -> None:
        """Write messages, each with the reason why it is dead.

        Raises:
            DeadLettersAwayError: not every letter was acknowledged; those that were may come twice.
        """
        tally = _Tally()
        try:
            for message, reason in letters:
                self._produce(message, reason, tally)
            self._producer.flush(2 * _PATIENCE_S)
        except (BufferError, KafkaException) as error:
            raise DeadLettersAwayError(str(error)) from error
        if tally.delivered < len(letters):
            raise DeadLettersAwayError(f"{len(letters) - tally.delivered} not acknowledged")

    def close(self) -> None:
        """Let go; nothing is queued between writes."""
        self._producer.flush(0)

    def _produce(self, message: Message, reason: str, tally: "_Tally") -> None:
        key, value = message.key(), message.value()
        whole = len(key or b"") + len(value or b"") <= _CARRIED_BYTES
        if not whole:
            key = key if key is None or len(key) <= _GLIMPSE_BYTES else None
            value = value and value[:_GLIMPSE_BYTES]
        letter = DeadLetter(
            reason=reason[:_LONGEST_REASON],
            topic=message.topic() or "",
            partition=_number(message.partition()),
            offset=_number(message.offset()),
            value=value,
            whole=whole,
        )
        self._producer.produce(self._topic, encode(letter), key=key, on_delivery=tally.report)


class _Tally:
    """Counts what was delivered of one write, however late the reports of another come in."""

    def __init__(self) -> None:
        self.delivered = 0

    def report(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self.delivered += 1


def _number(known: int | None) -> int:
    return -1 if known is None else known
