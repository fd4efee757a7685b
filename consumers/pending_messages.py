"""The batch in hand: messages taken from Kafka whose offsets are not stored yet."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from confluent_kafka import Message

from consumers.handler import M


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

    Attributes:
        parts: what is to be handled.
        undecodable: what says nothing that this version knows.
        set_aside: what must wait while others of the batch were handled; it is the beginning of the next batch.
    """

    def __init__(self, decode: Callable[[bytes], M]) -> None:
        self._decode = decode
        self._sources: list[Message] = []
        self._ends: dict[int, int] = {}  # how far the partitions of what came from the last batch had been taken
        self.parts: deque[list[Item[M]]] = deque()
        self.undecodable: list[Undecodable] = []
        self.set_aside: list[Item[M]] = []

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

    def following(self) -> "Batch[M]":
        """The next batch: it begins with what was set aside of this one."""
        following = Batch(self._decode)
        if self.set_aside:
            waiting = {item.source.partition() for item in self.set_aside}
            following.parts.append(self.set_aside)
            following._sources = [item.source for item in self.set_aside]
            following._ends = {partition: end for partition, end in self._taken().items() if partition in waiting}
        return following

    def join(self) -> None:
        """Make one part of all, in their order."""
        if len(self.parts) > 1:
            self.parts = deque([[item for part in self.parts for item in part]])

    def end_part(self, *, handled: Sequence[bool]) -> None:
        """The first part is done with, except for those messages that must wait."""
        part = self.parts.popleft()
        waiting = [item for item, is_handled in zip(part, handled, strict=True) if not is_handled]
        self.set_aside += waiting
        if waiting:
            self._hold_back({item.source.key() for item in waiting})

    def split(self) -> None:
        """Cut the first part in halves."""
        part = self.parts.popleft()
        middle = len(part) // 2
        self.parts.extendleft((part[middle:], part[:middle]))

    def drop(self, partitions: Collection[int]) -> None:
        """Let go of messages whose partitions belong to another consumer now; that one will handle them."""
        self._sources = [source for source in self._sources if source.partition() not in partitions]
        self._ends = {partition: end for partition, end in self._ends.items() if partition not in partitions}
        self.undecodable = [bad for bad in self.undecodable if bad.source.partition() not in partitions]
        self.set_aside = [item for item in self.set_aside if item.source.partition() not in partitions]
        kept = ([item for item in part if item.source.partition() not in partitions] for part in self.parts)
        self.parts = deque(part for part in kept if part)

    def partitions(self) -> set[int]:
        """Where the messages in hand came from."""
        return {_place(source)[0] for source in self._sources}

    def next_offsets(self) -> dict[int, int]:
        """For each partition the offset after the last message before which nothing waits."""
        offsets = self._taken()
        for item in self.set_aside:
            partition, offset = _place(item.source)
            offsets[partition] = min(offsets[partition], offset)
        return offsets

    def _taken(self) -> dict[int, int]:
        offsets = dict(self._ends)
        for source in self._sources:
            partition, offset = _place(source)
            offsets[partition] = max(offsets.get(partition, 0), offset + 1)
        return offsets

    def _hold_back(self, keys: Collection[bytes | str | None]) -> None:
        """What has the key of a message that waits, waits behind it."""
        for part in self.parts:
            self.set_aside += [item for item in part if item.source.key() in keys]
        kept = ([item for item in part if item.source.key() not in keys] for part in self.parts)
        self.parts = deque(part for part in kept if part)


def _place(source: Message) -> tuple[int, int]:
    partition, offset = source.partition(), source.offset()
    assert partition is not None and offset is not None  # noqa: PT018, S101 - of every message that was read
    return partition, offset
