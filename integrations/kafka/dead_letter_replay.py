"""Sending dead letters to the topics that they came from again."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from integrations.kafka.clients import producer_config
from integrations.kafka.dead_letter_reader import GoneError, LetterId, StoredLetter, original
from integrations.kafka.messages import Replayed, encode
from integrations.settings import KafkaSettings

_PATIENCE_S = 10.0
_LARGEST_BYTES = 8 * 1024 * 1024  # the broker says what it takes; a client's own limit must not be the lower one


@dataclass(frozen=True, slots=True)
class NotSent:
    """A letter that was not sent again, and why."""

    id: LetterId
    reason: str


class DeadLetterReplay:
    """Sends letters again: the original bytes, under their original key, to their original topic.

    Each that Kafka has taken is marked on `dead-letters`. Whoever is interrupted between the two leaves a letter that
    was sent and has no mark; sent once more, its handler finds what was done the first time.

    Args:
        settings: where Kafka is, and the topics to which something may be sent.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = set(settings.topics) - {settings.dead_letters_topic}
        config = producer_config(settings, _PATIENCE_S) | {"message.max.bytes": _LARGEST_BYTES}
        self._producer = Producer(config)

    def send(self, letters: Sequence[StoredLetter]) -> list[NotSent]:
        """Send letters again, in their order, and mark those that were sent.

        Returns:
            Those that were not.

        Raises:
            KafkaException: what was sent could not be marked.
        """
        reports: dict[LetterId, KafkaError | None] = {}
        failed = [fault for letter in letters if (fault := self._send(letter, reports))]
        self._producer.flush(2 * _PATIENCE_S)
        sent = [letter for letter in letters if letter.id in reports and reports[letter.id] is None]
        failed += [NotSent(id_, error.str()) for id_, error in reports.items() if error is not None]
        self._mark(sent)
        return failed

    def _send(self, stored: StoredLetter, reports: dict[LetterId, KafkaError | None]) -> NotSent | None:
        letter = stored.letter
        if letter is None:
            return NotSent(stored.id, "it is no letter: nothing says where it belongs")
        if letter.topic not in self._topics:
            return NotSent(stored.id, f"this system has no topic {letter.topic}")

        def report(error: KafkaError | None, _message: Message) -> None:
            reports[stored.id] = error

        try:
            key, value = stored.key, letter.value
            if not letter.whole:
                message = original(self._settings, letter)
                key, value = message.key(), message.value()
            self._producer.produce(letter.topic, value, key=key, on_delivery=report)
        except (GoneError, BufferError, KafkaException) as error:
            return NotSent(stored.id, str(error))
        self._producer.poll(0)
        return None

    def _mark(self, letters: Sequence[StoredLetter]) -> None:
        undelivered: list[KafkaError] = []

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                undelivered.append(error)

        for letter in letters:
            mark = encode(Replayed(letter.id.partition, letter.id.offset))
            self._producer.produce(self._settings.dead_letters_topic, mark, key=letter.key, on_delivery=report)
        if self._producer.flush(2 * _PATIENCE_S) or undelivered:
            raise KafkaException(undelivered[0] if undelivered else KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001 - the library's own name
