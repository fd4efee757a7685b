"""Reading a topic from a place of one's own, in no group: a thread that lives through Kafka's absence."""

import time
from abc import ABC, abstractmethod
from threading import Event, Thread

import structlog
from confluent_kafka import Consumer, KafkaException, Message

_log = structlog.get_logger(__name__)

_POLL_S = 0.2
_MESSAGES_AT_ONCE = 500
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.05, 1.0
_POLLED_WITHIN_S = 10.0


class TopicListener(ABC):
    """The life of a thread that reads a topic; where it begins and what becomes of the messages is its heirs'.

    Args:
        topic: its name.
        name: of the thread.
    """

    def __init__(self, topic: str, name: str) -> None:
        self._topic = topic
        self._stopping = Event()
        self._polled_at = time.monotonic()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the thread lives and has asked for messages a moment ago, whatever became of Kafka."""
        return self._thread.is_alive() and time.monotonic() - self._polled_at < _POLLED_WITHIN_S

    def close(self) -> None:
        """Stop listening."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def _assign(self, consumer: Consumer) -> None:
        """Give a consumer the place from which it reads.

        Raises:
            KafkaException: it cannot be found out now.
        """

    @abstractmethod
    def _consumer(self) -> Consumer:
        """A consumer without a place."""

    @abstractmethod
    def _take(self, messages: list[Message]) -> None:
        """Do what is to be done with messages that were read."""

    def _run(self) -> None:
        try:
            consumer = self._begin()
            if consumer is None:
                return
            with consumer:
                self._listen(consumer)
        except Exception:  # noqa: BLE001 - the last frame of this thread
            _log.exception("listener_died", topic=self._topic)  # and `healthy` says so

    def _begin(self) -> Consumer | None:
        """A consumer that has its place; None when it was closed before Kafka could be asked."""
        delay_s = _FIRST_DELAY_S
        while not self._stopping.is_set():
            self._polled_at = time.monotonic()
            try:
                return self._open()
            except KafkaException as error:
                _log.warning("topic_not_ready", topic=self._topic, error=str(error))
                self._stopping.wait(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
        return None

    def _open(self) -> Consumer:
        consumer = self._consumer()
        try:
            self._assign(consumer)
        except KafkaException:
            consumer.close()
            raise
        return consumer

    def _listen(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            self._hear(consumer)

    def _hear(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL_S)
        self._polled_at = time.monotonic()
        if first is not None:
            batch = (first, *consumer.consume(_MESSAGES_AT_ONCE, 0))
            self._take([message for message in batch if self._is_one(message)])

    def _is_one(self, message: Message) -> bool:
        """Whether it is a message, and not an error in the place of one."""
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise KafkaException(error)
        _log.warning("topic_not_read", topic=self._topic, error=error.str())
        return False
