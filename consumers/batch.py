"""The batch in hand: messages taken from Kafka whose offsets are not stored yet."""

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic

from confluent_kafka import Message

from consumers.ports import M


@dataclass(frozen=True, slots=True)
class Item(Generic[M]):
    """A message and what it says."""

    source: Message
    message: M


@dataclass(frozen=True, slots=True)
class Undecodable:
    """A message that says nothing that this version knows, and why."""

    source: Message
    reason: str


class Batch(Generic[M]):
    """Messages in the order in which they were taken, cut into parts that are handled one after the other.

    Args:
        decode: makes a message of a value, or raises.
    """

    def __init__(self, decode: Callable[[bytes], M]) -> None:
        self._decode = decode
        self._sources: list[Message] = []
        self.parts: deque[list[Item[M]]] = deque()
        self.undecodable: list[Undecodable] = []

    def __len__(self) -> int:
        return len(self._sources)

    def add(self, sources: Iterable[Message]) -> None:
        """Take messages in hand, as one more part."""
        part: list[Item[M]] = []
        for source in sources:
            self._sources.append(source)
            try:
                part.append(Item(source, self._decode(source.value() or b"")))
            except Exception as error:  # noqa: BLE001 - whatever a decoder raises is the message's fault
                self.undecodable.append(Undecodable(source, f"undecodable: {type(error).__name__}: {error}"))
        if part:
            self.parts.append(part)

    def split(self) -> None:
        """Cut the first part in halves."""
        part = self.parts.popleft()
        middle = len(part) // 2
        self.parts.extendleft((part[middle:], part[:middle]))

    def drop(self, partitions: Collection[int]) -> None:
        """Let go of messages whose partitions belong to another consumer now; that one will handle them."""
        self._sources = [source for source in self._sources if source.partition() not in partitions]
        self.undecodable = [bad for bad in self.undecodable if bad.source.partition() not in partitions]
        kept = ([item for item in part if item.source.partition() not in partitions] for part in self.parts)
        self.parts = deque(part for part in kept if part)

    def next_offsets(self) -> dict[int, int]:
        """For each partition the offset after its last message in hand."""
        offsets: dict[int, int] = {}
        for source in self._sources:
            partition, offset = source.partition(), source.offset()
            if partition is not None and offset is not None:
                offsets[partition] = max(offsets.get(partition, 0), offset + 1)
        return offsets
