"""Kafka, the handler and the replier as plain objects. The fakes move the clock."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.failure_policy import RetryLimits
from consumers.loop import ConsumerLoop, LoopLimits
from consumers.pending_messages import decoding_values
from integrations.kafka.dead_letters import DeadLettersUnavailableError

TOPIC = "commands"
RebalanceCallback = Callable[[Consumer, list[TopicPartition]], None]


def message(offset: int, value: str = "", partition: int = 0, key: bytes | None = None) -> Message:
    return Message(topic=TOPIC, partition=partition, offset=offset, value=(value or f"m{offset}").encode(), key=key)


def failure(error: KafkaError) -> Message:
    return Message(error=error)


class FakeTime:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FakeConsumer:
    """A consumer of partitions 0 to 3. Its queue holds messages, and events that happen when they are reached."""

    def __init__(self, time: FakeTime, journal: list[str]) -> None:
        self._time = time
        self._journal = journal
        self._on_assign: RebalanceCallback | None = None
        self._on_revoke: RebalanceCallback | None = None
        self.queue: deque[Message | Callable[[], None]] = deque()
        self.on_idle: Callable[[], object] = lambda: None
        self.paused: set[int] = set()
        self.deaf_to_pause: set[int] = set()
        self.assigned: set[int] = set()
        self.stored: dict[int, int] = {}
        self.taken: dict[int, int] = {}
        self.ends: dict[int, int] = {}
        self.waits: list[float] = []
        self.refuses_offsets = False
        self.closed = False

    def subscribe(self, topics: list[str], on_assign: RebalanceCallback, on_revoke: RebalanceCallback) -> None:
        assert topics == [TOPIC]
        self._on_assign, self._on_revoke = on_assign, on_revoke
        self.queue.appendleft(lambda: self.assign({0, 1, 2, 3}))

    def assign(self, partitions: set[int]) -> None:
        assert self._on_assign is not None
        self._on_assign(cast("Consumer", self), [TopicPartition(TOPIC, partition) for partition in partitions])

    def revoke(self, partitions: set[int]) -> None:
        assert self._on_revoke is not None
        self._on_revoke(cast("Consumer", self), [TopicPartition(TOPIC, partition) for partition in partitions])
        self.assigned -= partitions

    def poll(self, timeout: float) -> Message | None:
        found = self._next()
        if found is None:
            self.waits.append(timeout)
            self._time.now += timeout
            if not self.paused & self.assigned and not self.queue:
                self.on_idle()
        return found

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        assert timeout == 0, "it would wait for the full number"
        found: list[Message] = []
        while len(found) < num_messages and (next_message := self._next()) is not None:
            found.append(next_message)
        return found

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned |= {partition.partition for partition in partitions}

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {partition.partition for partition in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {partition.partition for partition in partitions}

    def store_offsets(self, *, offsets: list[TopicPartition]) -> None:
        if self.refuses_offsets:
            raise KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))
        self.stored |= {offset.partition: offset.offset for offset in offsets}
        self._journal.append("stored")

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(TOPIC, p.partition, self.taken.get(p.partition, -1001)) for p in partitions]

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        assert cached, "the loop must not wait for a broker"
        return 0, self.ends.get(partition.partition, -1001)

    def close(self) -> None:
        self.closed = True

    def _next(self) -> Message | None:
        while self.queue:
            head = self.queue[0]
            if isinstance(head, Message):
                partition = head.partition()
                if partition in self.paused - self.deaf_to_pause:
                    return None
                self.queue.popleft()
                if head.error() is None and partition is not None:
                    self.taken[partition] = (head.offset() or 0) + 1
                return head
            self.queue.popleft()
            head()
        return None


class FakeHandler:
    """Answers `m1` with `M1`, unless it is `deferred`. What `fails` raises is raised before the commit."""

    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self.calls: list[list[str]] = []
        self.handled: list[str] = []
        self.fails: Callable[[Sequence[str]], None] = lambda _messages: None
        self.deferred: set[str] = set()

    def handle(self, messages: Sequence[str]) -> Sequence[str | None]:
        self.calls.append(list(messages))
        self.fails(messages)
        self.handled += [message for message in messages if message not in self.deferred]
        self._journal.append("committed")
        return [None if message in self.deferred else message.upper() for message in messages]

    def on_dead_letter(self, message: str) -> str:
        return f"{message} is dead"


class FakeReplier:
    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self.replies: list[list[tuple[str, str]]] = []

    def reply(self, results: Sequence[tuple[str, str]]) -> None:
        self.replies.append(list(results))
        self._journal.append("replied")


class FakeDeadLetters:
    def __init__(self, journal: list[str]) -> None:
        self._journal = journal
        self.letters: list[tuple[int | None, str]] = []
        self.unavailable_for = 0

    def write(self, letters: Sequence[tuple[Message, str]]) -> None:
        if self.unavailable_for:
            self.unavailable_for -= 1
            raise DeadLettersUnavailableError("unavailable")
        self.letters += [(source.offset(), reason) for source, reason in letters]
        self._journal.append("dead_lettered")


class LoopBench:
    """A loop with all its fakes. It runs until its queue is empty."""

    def __init__(
        self, batch_max: int = 256, attempts: int = 3, deferred_max: int = 1024, linger_s: float = 0.0
    ) -> None:
        self.journal: list[str] = []
        self.records_after_commit = False
        self.time = FakeTime()
        self.consumer = FakeConsumer(self.time, self.journal)
        self.handler = FakeHandler(self.journal)
        self.replier = FakeReplier(self.journal)
        self.dead_letters = FakeDeadLetters(self.journal)
        self.loop = ConsumerLoop(
            cast("Consumer", self.consumer),
            TOPIC,
            decoding_values(decode),
            self.handler,
            self.dead_letters,
            self.replier,
            LoopLimits(
                batch_max=batch_max,
                poll_s=0.2,
                deferred_max=deferred_max,
                retry=RetryLimits(attempts, 0.05, 1.0),
                linger_s=linger_s,
            ),
            lambda: self.journal.append("after_commit") if self.records_after_commit else None,
            self.time,
        )
        self.consumer.on_idle = self.loop.stop

    def run(self, *queue: Message | Callable[[], None]) -> None:
        self.consumer.queue.extend(queue)
        self.loop.run()


def decode(value: bytes) -> str:
    text = value.decode()
    if text.startswith("bad"):
        raise ValueError(text)
    return text
