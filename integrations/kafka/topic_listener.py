"""A thread that reads a topic without a consumer group, and survives while Kafka is unavailable."""

import time
from abc import ABC, abstractmethod
from threading import Event, Thread

import structlog
from confluent_kafka import Consumer, KafkaException, Message

_log = structlog.get_logger(__name__)

_POLL_S = 0.2
_MAX_MESSAGES = 500
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.05, 1.0
_STALE_AFTER_S = 10.0


class TopicListener(ABC):
    """Base of the listeners. Subclasses choose where to start and process the messages.

    Args:
        topic: the name of the topic.
        name: the name of the thread.
    """

    def __init__(self, topic: str, name: str) -> None:
        self._topic = topic
        self._stopping = Event()
        self._polled_at = time.monotonic()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    @property
    def healthy(self) -> bool:
        """Whether the thread is alive and polled recently, even if Kafka is unavailable."""
        return self._thread.is_alive() and time.monotonic() - self._polled_at < _STALE_AFTER_S

    def close(self) -> None:
        """Stop reading."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @abstractmethod
    def _open_consumer(self) -> Consumer:
        """Open a consumer without partitions.

        Raises:
            KafkaException: Kafka is unavailable.
        """

    @abstractmethod
    def _assign(self, consumer: Consumer) -> None:
        """Assign partitions and offsets to a consumer.

        Raises:
            KafkaException: Kafka is unavailable.
        """

    @abstractmethod
    def _process(self, messages: list[Message]) -> None:
        """Process messages."""

    def _run(self) -> None:
        try:
            consumer = self._connect()
            if consumer is None:
                return
            with consumer:
                self._read(consumer)
        except Exception:  # noqa: BLE001 - the last frame of this thread; the health check reads `healthy`
            _log.exception("listener_failed", topic=self._topic)

    def _connect(self) -> Consumer | None:
        """A consumer with partitions; None when the listener was closed before Kafka became available."""
        delay_s = _FIRST_DELAY_S
        while not self._stopping.is_set():
            self._polled_at = time.monotonic()
            try:
                return self._open_assigned_consumer()
            except KafkaException as error:
                _log.warning("topic_unavailable", topic=self._topic, error=str(error))
                self._stopping.wait(delay_s)
                delay_s = min(delay_s * 2, _LONGEST_DELAY_S)
        return None

    def _open_assigned_consumer(self) -> Consumer:
        consumer = self._open_consumer()
        try:
            self._assign(consumer)
        except KafkaException:
            consumer.close()
            raise
        return consumer

    def _read(self, consumer: Consumer) -> None:
        while not self._stopping.is_set():
            self._poll(consumer)

    def _poll(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL_S)
        self._polled_at = time.monotonic()
        if first is not None:
            messages = (first, *consumer.consume(_MAX_MESSAGES, 0))
            self._process([message for message in messages if self._is_readable(message)])

    def _is_readable(self, message: Message) -> bool:
        """Whether it is a message and not an error event."""
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise KafkaException(error)
        _log.warning("topic_read_failed", topic=self._topic, error=error.str())
        return False
