"""The loop of every consumer: poll, decode, handle, commit, reply, store offsets; on one thread."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import Event
from typing import Generic

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from consumers.background_thread import LivingThread
from consumers.batch_processor import Decider, RetryLimits
from consumers.handler import DeadLetters, GroupConsumer, Handler, M, R, Replier
from consumers.pending_messages import Batch

_log = structlog.get_logger(__name__)

_LAG_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """How much a consumer takes, and how patient it is.

    Args:
        batch_max: messages in one unit of work.
        poll_s: how long to wait for a message before looking around.
        again_s: how soon what was set aside is tried again.
        set_aside_max: how many messages may wait in hand; past it their partitions rest. With a batch of the longest
            commands they still fit one statement.
    """

    batch_max: int = 256
    poll_s: float = 0.2
    again_s: float = 0.02
    set_aside_max: int = 512
    retry: RetryLimits = field(default_factory=RetryLimits)


@dataclass(slots=True)
class LoopStats:
    """What a consumer has done since it started. Written by its thread alone.

    `busy_s`: how long batches were in work, in s, without the waits for what was away.
    """

    batches: int = 0
    messages: int = 0
    dead_letters: int = 0
    busy_s: float = 0.0

    @property
    def mean_batch(self) -> float:
        """Messages per batch."""
        return self.messages / self.batches if self.batches else 0.0


class ConsumerLoop(LivingThread, Generic[M, R]):
    """One consumer on one thread.

    Offsets are stored only after the commit and the replies of their batch, so a consumer that dies leaves its
    batch to the next one, whose handler finds what was committed. A message is never skipped: it is handled, or
    it lies with the dead letters, or it is still in hand.

    Args:
        consumer: of a group, with `enable.auto.offset.store` off; closed by the loop.
        topic: the topic to read.
        decode: makes a message of a value, or raises.
        handler: one unit of work per batch.
        replier: told of the answers.
        dead_letters: take what cannot be handled.
        limits: how much, how patient.
        monotonic: seconds of a clock that only rises.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        topic: str,
        decode: Callable[[bytes], M],
        handler: Handler[M, R],
        replier: Replier[M, R],
        dead_letters: DeadLetters,
        limits: LoopLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(f"consumer-{topic}", monotonic)
        self._consumer = consumer
        self._topic = topic
        self._decode = decode
        self._limits = limits or LoopLimits()
        self._decider = Decider(handler, replier, dead_letters, self._rest, self._limits.retry)
        self._owned: set[int] = set()
        self._has_owned = Event()
        self._resting = False
        self._held: set[int] = set()
        self._rested_s = 0.0
        self._batch = Batch(decode)
        self._measured_at = 0.0
        self._lag = 0
        self.stats = LoopStats()

    def wait_for_partitions(self, timeout_s: float) -> bool:
        """Wait until the group has given it its first partitions: before that, nobody who asks is heard by it.

        Returns:
            Whether it has; a group with more members than partitions has none to give.
        """
        return self._has_owned.wait(timeout_s)

    @property
    def lag(self) -> int:
        """Messages that wait in this consumer's partitions, as of about a second ago."""
        return self._lag

    def run(self) -> None:
        """Read until stopped.

        Raises:
            KafkaException: the client is beyond use.
        """
        try:
            self._consumer.subscribe([self._topic], on_assign=self._assigned, on_revoke=self._revoked)
            while not self._stopping.is_set():
                self._step()
        finally:
            # Whatever is still in hand is not stored, and comes again to whoever owns its partition next.
            self._consumer.close()

    def _step(self) -> None:
        self._beat()
        self._measure_lag()
        limits, batch = self._limits, self._batch
        first = self._consumer.poll(limits.again_s if batch.parts else limits.poll_s)
        if first is not None:
            self._take([first, *self._consumer.consume(limits.batch_max - 1, 0)])
        if not (batch.parts or batch.undecodable):
            return
        # In one unit of work with what waits: a message must not overtake another of its gym.
        batch.join()
        began_at, rested_s = self._monotonic(), self._rested_s
        if self._decider.decide(batch):
            self._store_offsets()
            self._count(len(batch) - len(batch.set_aside))
        self.stats.busy_s += self._monotonic() - began_at - (self._rested_s - rested_s)
        self._wake()
        self._batch = batch.following()
        self._hold()

    def _take(self, messages: list[Message]) -> None:
        good = [message for message in messages if self._is_good(message)]
        # A partition may have been revoked between the first message and the rest.
        self._batch.add(message for message in good if message.partition() in self._owned)

    def _is_good(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise KafkaException(error)
        _log.warning("consumer_error", topic=self._topic, error=error.str())
        return False

    def _rest(self, delay_s: float) -> bool:
        """Wait with the batch in hand: the partitions rest, the group still hears of this consumer."""
        if not self._resting:
            self._resting = True
            self._consumer.pause(self._partitions())
        began_at = self._monotonic()
        try:
            while not self._stopping.is_set():
                self._beat()
                left_s = began_at + delay_s - self._monotonic()
                message = self._consumer.poll(max(0.0, min(left_s, self._limits.poll_s)))
                if message is not None:
                    self._take([message])
                if left_s <= 0:
                    return True
            return False
        finally:
            self._rested_s += self._monotonic() - began_at

    def _wake(self) -> None:
        if self._resting:
            self._resting = False
            self._consumer.resume(self._partitions())
            self._held.clear()

    def _hold(self) -> None:
        """Take no more of partitions of which too much waits in hand."""
        waiting = self._batch.partitions() if len(self._batch) > self._limits.set_aside_max else set()
        if waiting != self._held:
            self._consumer.resume(self._topic_partitions(self._held - waiting))
            self._consumer.pause(self._topic_partitions(waiting - self._held))
            self._held = waiting

    def _store_offsets(self) -> None:
        offsets = [TopicPartition(self._topic, p, offset) for p, offset in self._batch.next_offsets().items()]
        try:
            if offsets:
                self._consumer.store_offsets(offsets=offsets)
        except KafkaException as error:
            # The partition was lost between the last poll and now: its next owner finds the answers stored.
            _log.warning("offsets_not_stored", topic=self._topic, error=str(error))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self._owned.update(partition.partition for partition in partitions)
        self._has_owned.set()
        # The client remembers a pause across a revoke: a partition that left while resting would come back paused.
        (consumer.pause if self._resting else consumer.resume)(partitions)
        _log.info("partitions_assigned", topic=self._topic, partitions=[p.partition for p in partitions])

    def _revoked(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {partition.partition for partition in partitions}
        self._owned -= gone
        self._held -= gone
        self._batch.drop(gone)
        _log.info("partitions_revoked", topic=self._topic, partitions=sorted(gone))

    def _partitions(self) -> list[TopicPartition]:
        return self._topic_partitions(self._owned)

    def _topic_partitions(self, partitions: Collection[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in sorted(partitions)]

    def _count(self, messages: int) -> None:
        self.stats.batches += 1
        self.stats.messages += messages
        self.stats.dead_letters = self._decider.buried

    def _measure_lag(self) -> None:
        now = self._monotonic()
        if now - self._measured_at < _LAG_EVERY_S:
            return
        self._measured_at = now
        lag = 0
        for position in self._consumer.position(self._partitions()):
            end = self._consumer.get_watermark_offsets(position, cached=True)[1]
            if position.offset >= 0 and end > position.offset:
                lag += end - position.offset
        self._lag = lag
