"""Sends dead letters to their original topics again."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from integrations.kafka.clients import producer_config
from integrations.kafka.dead_letter_reader import LetterId, MessageDeletedError, StoredLetter, read_original
from integrations.kafka.messages import DeadLetterReplayed, encode
from integrations.settings import KafkaSettings

_DELIVERY_TIMEOUT_S = 10.0
_MAX_MESSAGE_BYTES = 8 * 1024 * 1024  # above the brokers' limits, so that only they decide


@dataclass(frozen=True, slots=True)
class NotSent:
    """A letter that was not replayed, and the reason."""

    id: LetterId
    reason: str


class DeadLetterReplay:
    """Replays letters: the original bytes with the original key to the original topic.

    Each letter that was delivered gets a mark on `dead-letters`. When the process dies in between, a replayed letter
    has no mark. Replaying it again is safe, because handlers are idempotent.

    Args:
        settings: of Kafka. Letters are sent to its topics only.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = set(settings.topics) - {settings.dead_letters_topic}
        config = producer_config(settings, _DELIVERY_TIMEOUT_S) | {"message.max.bytes": _MAX_MESSAGE_BYTES}
        self._producer = Producer(config)

    def send(self, letters: Sequence[StoredLetter]) -> list[NotSent]:
        """Replay letters in order, and mark those that were delivered.

        Returns:
            The letters that were not replayed.

        Raises:
            KafkaException: the marks could not be written.
        """
        reports: dict[LetterId, KafkaError | None] = {}
        failed = [failure for letter in letters if (failure := self._send(letter, reports))]
        self._producer.flush(2 * _DELIVERY_TIMEOUT_S)
        sent = [letter for letter in letters if letter.id in reports and reports[letter.id] is None]
        failed += [NotSent(id_, error.str()) for id_, error in reports.items() if error is not None]
        self._mark(sent)
        return failed

    def _send(self, stored: StoredLetter, reports: dict[LetterId, KafkaError | None]) -> NotSent | None:
        letter = stored.letter
        if letter is None:
            return NotSent(stored.id, "Not a dead letter: its original topic is unknown")
        if letter.topic not in self._topics:
            return NotSent(stored.id, f"Topic {letter.topic} is not in the settings")

        def on_report(error: KafkaError | None, _message: Message) -> None:
            reports[stored.id] = error

        try:
            key, value = stored.key, letter.value
            if not letter.whole:
                message = read_original(self._settings, letter)
                key, value = message.key(), message.value()
            self._producer.produce(letter.topic, value, key=key, on_delivery=on_report)
        except (MessageDeletedError, BufferError, KafkaException) as error:
            return NotSent(stored.id, str(error))
        self._producer.poll(0)
        return None

    def _mark(self, letters: Sequence[StoredLetter]) -> None:
        undelivered: list[KafkaError] = []

        def on_report(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                undelivered.append(error)

        for letter in letters:
            mark = encode(DeadLetterReplayed(letter.id.partition, letter.id.offset))
            self._producer.produce(self._settings.dead_letters_topic, mark, key=letter.key, on_delivery=on_report)
        if self._producer.flush(2 * _DELIVERY_TIMEOUT_S) or undelivered:
            raise KafkaException(undelivered[0] if undelivered else KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's own name
