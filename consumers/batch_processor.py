"""Handles pending messages until each is answered, deferred, or in the dead-letter topic."""

from collections.abc import Callable, Sequence
from typing import Generic

import structlog
from confluent_kafka import Message

from consumers.failure_policy import Backoff, NextStep, RetryLimits, describe_error, next_step
from consumers.handler import DeadLetterQueue, Handler, M, R, Replier
from consumers.pending_messages import PendingMessages
from domain.errors import UnavailableError

_log = structlog.get_logger(__name__)


class BatchProcessor(Generic[M, R]):
    """Runs the handler on each batch and applies the failure policy.

    Args:
        handler: handles and commits one batch per call.
        dead_letters: stores what cannot be handled.
        replier: sends the results after their commit; None: nobody waits for them.
        after_commit: called after each commit and its replies.
        wait: waits for a number of seconds while the partitions are paused. It may drop messages of revoked
            partitions from the pending ones. Returns False when the consumer stops.
        limits: how long to retry.

    Attributes:
        dead_letter_count: messages written to the dead-letter topic.
    """

    def __init__(
        self,
        handler: Handler[M, R],
        dead_letters: DeadLetterQueue,
        replier: Replier[M, R] | None,
        after_commit: Callable[[], None] | None,
        wait: Callable[[float], bool],
        limits: RetryLimits,
    ) -> None:
        self._handler = handler
        self._dead_letters = dead_letters
        self._replier = replier
        self._after_commit = after_commit
        self._wait = wait
        self._max_attempts = limits.attempts
        self._backoff = Backoff(limits.first_delay_s, limits.longest_delay_s)
        self._attempt = 0
        self._poll_between_batches = False
        self.dead_letter_count = 0

    def process(self, pending: PendingMessages[M]) -> bool:
        """Handle all pending messages, except for those that the handler defers.

        Returns:
            False when the consumer stopped before the end. The rest must not be marked as done.
        """
        # Undecodable messages come last, because callers wait for the others. A wait may add and remove messages.
        self._poll_between_batches = False
        while pending.batches or pending.undecodable:
            # A long series of slow failures must not exceed the poll interval of the consumer group.
            if self._poll_between_batches and not self._wait(0):
                return False
            finished = self._handle_batch(pending) if pending.batches else self._dead_letter_undecodable(pending)
            if not finished:
                return False
        return True

    def _handle_batch(self, pending: PendingMessages[M]) -> bool:
        contents = [message.content for message in pending.batches[0]]
        self._attempt += 1
        try:
            results = self._handler.handle(contents)
        except Exception as error:  # noqa: BLE001 - `next_step` tells them apart
            return self._handle_failure(pending, error)
        self._finish_batch(pending, contents, results)
        return True

    def _handle_failure(self, pending: PendingMessages[M], error: Exception) -> bool:
        batch = pending.batches[0]
        step = next_step(error, self._attempt, self._max_attempts, len(batch))
        reason = describe_error(error)
        _log.warning("batch_failed", next_step=step.name.lower(), messages=len(batch), reason=reason)
        if step is NextStep.WAIT:
            return self._wait_longer()
        if step is NextStep.SPLIT:
            pending.split_batch()
            self._attempt = 0
            self._poll_between_batches = True
        if step is NextStep.DEAD_LETTER:
            [message] = batch
            if not self._write_dead_letters([(message.source, reason)]):
                return self._wait_longer()
            self._poll_between_batches = True
            self._finish_batch(pending, [message.content], [self._handler.on_dead_letter(message.content)])
        return True

    def _finish_batch(self, pending: PendingMessages[M], contents: Sequence[M], results: Sequence[R | None]) -> None:
        pending.finish_batch(handled=[result is not None for result in results])
        self._attempt = 0
        self._backoff.reset()
        if self._replier is not None:
            pairs = zip(contents, results, strict=True)
            self._replier.reply([(content, result) for content, result in pairs if result is not None])
        if self._after_commit is not None:
            self._after_commit()

    def _dead_letter_undecodable(self, pending: PendingMessages[M]) -> bool:
        if not self._write_dead_letters([(message.source, message.reason) for message in pending.undecodable]):
            return self._wait_longer()
        pending.undecodable.clear()
        self._backoff.reset()
        return True

    def _write_dead_letters(self, letters: Sequence[tuple[Message, str]]) -> bool:
        try:
            self._dead_letters.write(letters)
        except UnavailableError as error:
            _log.warning("dead_letters_unavailable", messages=len(letters), reason=str(error))
            return False
        self.dead_letter_count += len(letters)
        for source, reason in letters:
            _log.error(
                "message_dead_lettered",
                topic=source.topic(),
                partition=source.partition(),
                offset=source.offset(),
                reason=reason,
            )
        return True

    def _wait_longer(self) -> bool:
        return self._wait(self._backoff.next_delay_s())
