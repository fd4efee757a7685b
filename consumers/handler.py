"""The interfaces that each consumer implements for the generic loop: a handler, and optionally a replier."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from confluent_kafka import Message

M = TypeVar("M")
R = TypeVar("R")
M_contra = TypeVar("M_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
R_contra = TypeVar("R_contra", contravariant=True)


class Handler(Protocol[M_contra, R_co]):
    """Handles batches of messages. Idempotent, because Kafka may deliver a batch again, in whole or in part."""

    def handle(self, messages: Sequence[M_contra]) -> Sequence[R_co | None]:
        """Handle messages in order and commit.

        Returns:
            One result per message, in the same order. None defers a message: it stays pending and comes again.

        Raises:
            UnavailableError: a system that the handler needs does not respond. The batch is retried later.
            Exception: the batch was not handled, see `consumers.failure_policy`.
        """

    def on_dead_letter(self, message: M_contra) -> R_co:
        """The result of a message that was moved to the dead-letter topic."""


class Replier(Protocol[M_contra, R_contra]):
    """Sends results to the callers. A lost reply is no error, because the caller can ask again."""

    def reply(self, results: Sequence[tuple[M_contra, R_contra]]) -> None:
        """Send the results of one batch, after its commit."""


class DeadLetterQueue(Protocol):
    """Stores messages that cannot be handled."""

    def write(self, letters: Sequence[tuple[Message, str]]) -> None:
        """Write messages, each with the reason, and return once all are stored.

        Raises:
            UnavailableError: not all are stored.
        """
