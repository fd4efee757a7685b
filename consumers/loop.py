"""The generic consumer loop: poll, decode, handle, commit, reply, store offsets. One thread per consumer."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from typing import Generic

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from consumers.background_thread import BackgroundThread
from consumers.batch_processor import BatchProcessor
from consumers.failure_policy import RetryLimits
from consumers.handler import DeadLetterQueue, Handler, M, R, Replier
from consumers.pending_messages import PendingMessages

_log = structlog.get_logger(__name__)

_LAG_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How much a consumer reads, and how long it waits.

    Args:
        batch_max: maximum number of messages per unit of work.
        poll_s: how long to wait for a message, in seconds.
        deferred_retry_s: how long to wait for a message while deferred ones are pending, in seconds.
        deferred_max: maximum number of deferred messages; beyond it their partitions are paused. Together with a
            batch of the largest commands they still fit into one SQL statement.
        retry: how long to retry.
        linger_s: how long to gather messages before they are handled, in seconds; a full batch is handled at once.
    """

    batch_max: int = 256
    poll_s: float = 0.2
    deferred_retry_s: float = 0.02
    deferred_max: int = 512
    retry: RetryLimits = field(default_factory=RetryLimits)
    linger_s: float = 0.0


@dataclass(slots=True)
class LoopStats:
    """What a consumer has done since its start. Written by its thread only.

    Args:
        busy_s: time spent on batches, in seconds, without the waits for unavailable systems.
    """

    batches: int = 0
    messages: int = 0
    dead_letters: int = 0
    busy_s: float = 0.0

    @property
    def mean_batch(self) -> float:
        """Messages per batch."""
        return self.messages / self.batches if self.batches else 0.0


class ConsumerLoop(BackgroundThread, Generic[M, R]):
    """One consumer on one thread.

    Offsets are stored after the commit and the replies of their batch. When a consumer dies, the next owner of its
    partitions reads that batch again, and its handler finds what was committed. No message is skipped: it is handled,
    in the dead-letter topic, or still pending.

    Args:
        consumer: a member of a group, with `enable.auto.offset.store` off. The loop closes it.
        topic: the topic to read.
        decode: decodes a message, or raises; `decoding_values` makes one for values.
        handler: handles and commits one batch per call.
        dead_letters: stores what cannot be handled.
        replier: sends the results; None: nobody waits for them.
        limits: how much to read, how long to wait.
        after_commit: called after each commit and its replies.
        monotonic: a monotonic clock, in seconds.
        position: returns assigned partitions with the offsets to begin at; None: at those of the group.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        decode: Callable[[Message], M],
        handler: Handler[M, R],
        dead_letters: DeadLetterQueue,
        replier: Replier[M, R] | None = None,
        limits: LoopLimits | None = None,
        after_commit: Callable[[], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        position: Callable[[Consumer, list[TopicPartition]], list[TopicPartition]] | None = None,
    ) -> None:
        super().__init__(f"consumer-{topic}", monotonic)
        self._position = position
        self._consumer = consumer
        self._topic = topic
        self._limits = limits or LoopLimits()
        self._processor = BatchProcessor(
            handler, dead_letters, replier, after_commit, self._wait_paused, self._limits.retry
        )
        self._assigned: set[int] = set()
        self._first_assignment = Event()
        self._all_paused = False
        self._paused_for_deferred: set[int] = set()
        self._waited_s = 0.0
        self._pending = PendingMessages(decode)
        self._pending_since: float | None = None
        self._lag_read_at = 0.0
        self._lag = 0
        self.stats = LoopStats()

    def wait_for_partitions(self, timeout_s: float) -> bool:
        """Wait for the first assignment of partitions. Before it this consumer reads nothing.

        Returns:
            Whether it came. A group with more members than partitions has none for some of them.
        """
        return self._first_assignment.wait(timeout_s)

    @property
    def lag(self) -> int:
        """Unread messages in this consumer's partitions, about a second old."""
        return self._lag

    @property
    def pending_age_s(self) -> float:
        """For how long the oldest message waits that was read and is not handled, in seconds; 0: there is none."""
        since = self._pending_since
        return 0.0 if since is None else self._monotonic() - since

    def run(self) -> None:
        """Read until stopped.

        Raises:
            KafkaException: the client reported a fatal error.
        """
        try:
            self._consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
            while not self._stopping.is_set():
                self._step()
        finally:
            # Offsets of pending messages are not stored, so the next owner of their partitions reads them again.
            self._consumer.close()

    def _step(self) -> None:
        self._beat()
        self._read_lag()
        limits, pending = self._limits, self._pending
        first = self._consumer.poll(
            limits.deferred_retry_s if pending.batches and not limits.linger_s else limits.poll_s
        )
        if first is not None:
            self._add([first, *self._consumer.consume(limits.batch_max - 1, 0)])
        if not (pending.batches or pending.undecodable):
            self._pending_since = None
            return
        if self._gathers():
            return
        # One batch with the deferred messages: no message may overtake an earlier one of its key.
        pending.merge_batches()
        began_at, waited_s = self._monotonic(), self._waited_s
        if self._processor.process(pending):
            self._store_offsets()
            self._count(len(pending) - len(pending.deferred))
        self.stats.busy_s += self._monotonic() - began_at - (self._waited_s - waited_s)
        self._resume_all()
        self._pending_since = None
        self._pending = pending.carry_over()
        self._pause_partitions_of_deferred()

    def _gathers(self) -> bool:
        """Whether to wait for more messages before the pending ones are handled."""
        if self._pending_since is None:
            self._pending_since = self._monotonic()
        is_full = len(self._pending) >= self._limits.batch_max
        return not is_full and self._monotonic() - self._pending_since < self._limits.linger_s

    def _add(self, messages: list[Message]) -> None:
        readable = [message for message in messages if self._is_readable(message)]
        # A partition may have been revoked between `poll` and `consume`.
        self._pending.add(message for message in readable if message.partition() in self._assigned)

    def _is_readable(self, message: Message) -> bool:
        """Whether it is a message and not an error event."""
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise KafkaException(error)
        _log.warning("consumer_error", topic=self._topic, error=error.str())
        return False

    def _wait_paused(self, delay_s: float) -> bool:
        """Pause all partitions and keep polling, so that this consumer stays in its group.

        Returns:
            False when the consumer stops.
        """
        if not self._all_paused:
            self._all_paused = True
            self._consumer.pause(self._topic_partitions(self._assigned))
        began_at = self._monotonic()
        try:
            while not self._stopping.is_set():
                self._beat()
                left_s = began_at + delay_s - self._monotonic()
                message = self._consumer.poll(max(0.0, min(left_s, self._limits.poll_s)))
                if message is not None:
                    self._add([message])
                if left_s <= 0:
                    return True
            return False
        finally:
            self._waited_s += self._monotonic() - began_at

    def _resume_all(self) -> None:
        if self._all_paused:
            self._all_paused = False
            self._consumer.resume(self._topic_partitions(self._assigned))
            self._paused_for_deferred.clear()

    def _pause_partitions_of_deferred(self) -> None:
        """Pause the partitions of deferred messages while there are too many, and resume them afterwards."""
        too_many = len(self._pending) > self._limits.deferred_max
        to_pause = self._pending.partitions() if too_many else set()
        if to_pause != self._paused_for_deferred:
            self._consumer.resume(self._topic_partitions(self._paused_for_deferred - to_pause))
            self._consumer.pause(self._topic_partitions(to_pause - self._paused_for_deferred))
            self._paused_for_deferred = to_pause

    def _store_offsets(self) -> None:
        offsets = [TopicPartition(self._topic, p, offset) for p, offset in self._pending.offsets_to_store().items()]
        try:
            if offsets:
                self._consumer.store_offsets(offsets=offsets)
        except KafkaException as error:
            # The partition was lost since the last poll. Its next owner finds the results in the database.
            _log.warning("offsets_not_stored", topic=self._topic, error=str(error))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if self._position is not None:
            partitions = self._position(consumer, partitions)
        consumer.incremental_assign(partitions)
        self._assigned.update(partition.partition for partition in partitions)
        self._first_assignment.set()
        # librdkafka keeps a partition paused across a revoke: one that left while paused would come back paused.
        (consumer.pause if self._all_paused else consumer.resume)(partitions)
        _log.info("partitions_assigned", topic=self._topic, partitions=[p.partition for p in partitions])

    def _on_revoke(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        revoked = {partition.partition for partition in partitions}
        self._assigned -= revoked
        self._paused_for_deferred -= revoked
        self._pending.drop_partitions(revoked)
        _log.info("partitions_revoked", topic=self._topic, partitions=sorted(revoked))

    def _topic_partitions(self, partitions: Collection[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in sorted(partitions)]

    def _count(self, messages: int) -> None:
        self.stats.batches += 1
        self.stats.messages += messages
        self.stats.dead_letters = self._processor.dead_letter_count

    def _read_lag(self) -> None:
        now = self._monotonic()
        if now - self._lag_read_at < _LAG_INTERVAL_S:
            return
        self._lag_read_at = now
        lag = 0
        for position in self._consumer.position(self._topic_partitions(self._assigned)):
            end = self._consumer.get_watermark_offsets(position, cached=True)[1]
            if position.offset >= 0 and end > position.offset:
                lag += end - position.offset
        self._lag = lag
