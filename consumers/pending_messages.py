"""Messages that the loop has read and whose offsets it has not stored yet."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from confluent_kafka import Message

from consumers.handler import M


@dataclass(frozen=True, slots=True)
class DecodedMessage(Generic[M]):
    """A Kafka message and its decoded content."""

    source: Message
    content: M


@dataclass(frozen=True, slots=True)
class UndecodableMessage:
    """A Kafka message that this version cannot decode, and the reason."""

    source: Message
    reason: str


class PendingMessages(Generic[M]):
    """Messages in the order in which they were read, as batches for the handler.

    Args:
        decode: decodes a message, or raises.

    Attributes:
        batches: what the handler still has to handle.
        undecodable: what goes to the dead-letter topic.
        deferred: what the handler deferred. It is the start of the next pending messages.
    """

    def __init__(self, decode: Callable[[Message], M]) -> None:
        self._decode = decode
        self._sources: list[Message] = []
        self._read_up_to: dict[int, int] = {}  # next offset to read, of partitions with deferred messages
        self.batches: deque[list[DecodedMessage[M]]] = deque()
        self.undecodable: list[UndecodableMessage] = []
        self.deferred: list[DecodedMessage[M]] = []

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, sources: Iterable[Message]) -> None:
        """Decode messages and add them as one more batch."""
        batch: list[DecodedMessage[M]] = []
        for source in sources:
            self._sources.append(source)
            try:
                batch.append(DecodedMessage(source, self._decode(source)))
            except Exception as error:  # noqa: BLE001 - any exception of a decoder is the message's fault
                self.undecodable.append(UndecodableMessage(source, f"undecodable: {type(error).__name__}: {error}"))
        if batch:
            self.batches.append(batch)

    def carry_over(self) -> "PendingMessages[M]":
        """The next pending messages, which start with the deferred ones."""
        following = PendingMessages(self._decode)
        if self.deferred:
            partitions = {message.source.partition() for message in self.deferred}
            following.batches.append(self.deferred)
            following._sources = [message.source for message in self.deferred]
            following._read_up_to = {p: offset for p, offset in self._next_offsets().items() if p in partitions}
        return following

    def merge_batches(self) -> None:
        """Make one batch of all, in their order."""
        if len(self.batches) > 1:
            self.batches = deque([[message for batch in self.batches for message in batch]])

    def split_batch(self) -> None:
        """Split the first batch into halves."""
        batch = self.batches.popleft()
        middle = len(batch) // 2
        self.batches.extendleft((batch[middle:], batch[:middle]))

    def finish_batch(self, *, handled: Sequence[bool]) -> None:
        """Remove the first batch, and defer those of its messages that were not handled."""
        batch = self.batches.popleft()
        deferred = [message for message, is_handled in zip(batch, handled, strict=True) if not is_handled]
        self.deferred += deferred
        if deferred:
            self._defer_keys({message.source.key() for message in deferred})

    def drop_partitions(self, partitions: Collection[int]) -> None:
        """Forget the messages of revoked partitions. Their new owner handles them."""
        self._sources = [source for source in self._sources if source.partition() not in partitions]
        self._read_up_to = {p: offset for p, offset in self._read_up_to.items() if p not in partitions}
        self.undecodable = [message for message in self.undecodable if message.source.partition() not in partitions]
        self.deferred = [message for message in self.deferred if message.source.partition() not in partitions]
        kept = ([m for m in batch if m.source.partition() not in partitions] for batch in self.batches)
        self.batches = deque(batch for batch in kept if batch)

    def partitions(self) -> set[int]:
        """The partitions of the pending messages."""
        return {_position(source)[0] for source in self._sources}

    def offsets_to_store(self) -> dict[int, int]:
        """For each partition the offset of its first deferred message, otherwise the next offset to read."""
        offsets = self._next_offsets()
        for message in self.deferred:
            partition, offset = _position(message.source)
            offsets[partition] = min(offsets[partition], offset)
        return offsets

    def _next_offsets(self) -> dict[int, int]:
        offsets = dict(self._read_up_to)
        for source in self._sources:
            partition, offset = _position(source)
            offsets[partition] = max(offsets.get(partition, 0), offset + 1)
        return offsets

    def _defer_keys(self, keys: Collection[bytes | str | None]) -> None:
        """Defer all messages with these keys, so that none overtakes an earlier one of its key."""
        for batch in self.batches:
            self.deferred += [message for message in batch if message.source.key() in keys]
        kept = ([message for message in batch if message.source.key() not in keys] for batch in self.batches)
        self.batches = deque(batch for batch in kept if batch)


def decoding_values(decode: Callable[[bytes], M]) -> Callable[[Message], M]:
    """A decoder of messages whose value says everything.

    Args:
        decode: decodes the value of a message, or raises.
    """
    return lambda source: decode(source.value() or b"")


def _position(source: Message) -> tuple[int, int]:
    """Partition and offset of a message that was read."""
    partition, offset = source.partition(), source.offset()
    assert partition is not None and offset is not None  # noqa: PT018, S101 - only unsent messages have none
    return partition, offset
