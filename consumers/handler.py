"""What the threads of a consumer are put together from: the parts that differ, and what a test replaces."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from confluent_kafka import Consumer, Message, TopicPartition
from sqlalchemy import Connection

from domain.unit_of_work import Store

M = TypeVar("M")
R = TypeVar("R")
Asked_contra = TypeVar("Asked_contra", contravariant=True)
Answered_co = TypeVar("Answered_co", covariant=True)
Answer_contra = TypeVar("Answer_contra", contravariant=True)


class Handler(Protocol[Asked_contra, Answered_co]):
    """Handles a batch in one unit of work. Idempotent: a batch may come again, whole or in parts."""

    def handle(self, messages: Sequence[Asked_contra]) -> Sequence[Answered_co | None]:
        """Handle messages in order and commit; the answers in the same order. Any exception leaves no trace.

        None is the answer to a message that must wait for something that others do not need: it comes again.
        """

    def dead_lettered(self, message: Asked_contra) -> Answered_co:
        """The answer to a message that failed by itself and now lies with the dead letters."""


class Replier(Protocol[Asked_contra, Answer_contra]):
    """Tells whoever asked. An answer that gets lost is no error; it can be asked for again."""

    def reply(self, answered: Sequence[tuple[Asked_contra, Answer_contra]]) -> None:
        """Send the answers of messages that were handled together."""


class DeadLetters(Protocol):
    """Keeps messages that could not be handled."""

    def write(self, letters: Sequence[tuple[Message, str]]) -> None:
        """Write messages and reasons, and return once they are kept.

        Raises:
            DeadLettersAwayError: they are not all kept.
        """


RebalanceCallback = Callable[[Consumer, list[TopicPartition]], None]


class GroupConsumer(Protocol):
    """What the loop needs of confluent-kafka's consumer."""

    def subscribe(self, topics: list[str], on_assign: RebalanceCallback, on_revoke: RebalanceCallback) -> None:
        """Join the group."""

    def poll(self, timeout: float) -> Message | None:
        """Wait for one message; rebalances happen in here."""

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        """Take what is there."""

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        """Begin to read partitions."""

    def pause(self, partitions: list[TopicPartition]) -> None:
        """Stop reading partitions while keeping them."""

    def resume(self, partitions: list[TopicPartition]) -> None:
        """Read paused partitions again."""

    def store_offsets(self, *, offsets: list[TopicPartition]) -> None:
        """Mark what is done, for the next commit."""

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """The offsets after the messages taken last; negative where none was."""

    def get_watermark_offsets(self, partition: TopicPartition, *, cached: bool) -> tuple[int, int]:
        """The first and the end offset of a partition."""

    def close(self) -> None:
        """Commit what is marked and leave the group."""


class LeaderLease(Protocol):
    """Of work that one thread of all does; see `integrations.lease.Lease`."""

    store: Store

    @property
    def is_held(self) -> bool:
        """Whether this process has it, as far as it knows."""

    @property
    def unchecked_for_s(self) -> float:
        """Seconds since the holder last made an effect, or tried to."""

    def ask(self) -> bool:
        """Take the lease if it is free."""

    def check(self, connection: Connection) -> None:
        """See, in the transaction of an effect, that the lease is held."""

    def release(self) -> None:
        """Give the lease back."""
