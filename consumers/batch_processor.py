"""Bringing a batch to its end: handled, answered, or among the dead letters."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog
from confluent_kafka import Message

from consumers.failure_policy import Verdict, reason, verdict
from consumers.handler import DeadLetters, Handler, M, R, Replier
from consumers.pending_messages import Batch
from integrations.kafka.dead_letters import DeadLettersAwayError

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """How patient a consumer is.

    Args:
        attempts: how often a batch that lost a race is tried before it is split.
        first_delay_s, longest_delay_s: how long it waits for a part that is away; doubled each time.
    """

    attempts: int = 4
    first_delay_s: float = 0.05
    longest_delay_s: float = 1.0


class Decider(Generic[M, R]):
    """Handles batches through every failure that is not a defect of the program.

    Args:
        handler: one unit of work per call.
        replier: told of the answers after their commit.
        dead_letters: take what cannot be handled.
        wait: waits so many seconds while the partitions rest; may drop messages from the batch in hand.
            False when the consumer is to stop.
        limits: how patient it is.
    """

    def __init__(
        self,
        handler: Handler[M, R],
        replier: Replier[M, R],
        dead_letters: DeadLetters,
        wait: Callable[[float], bool],
        limits: RetryLimits,
    ) -> None:
        self._handler = handler
        self._replier = replier
        self._dead_letters = dead_letters
        self._wait = wait
        self._limits = limits
        self._attempt = 0
        self._delay_s = limits.first_delay_s
        self._in_trouble = False
        self.buried = 0

    def decide(self, batch: Batch[M]) -> bool:
        """Bring a batch to its end, except for what its handler has set aside.

        Returns:
            Whether it came to its end; False when it was stopped before, and some of it must come again.
        """
        # What can be decided goes first: doors wait for it. Waiting may add parts and take some away.
        self._in_trouble = False
        while batch.parts or batch.undecodable:
            # A long row of slow failures must not look like a consumer that hangs.
            if self._in_trouble and not self._wait(0):
                return False
            if not (self._first_part(batch) if batch.parts else self._bury_undecodable(batch)):
                return False
        return True

    def _first_part(self, batch: Batch[M]) -> bool:
        part = batch.parts[0]
        messages = [item.message for item in part]
        self._attempt += 1
        try:
            answers = self._handler.handle(messages)
        except Exception as error:  # noqa: BLE001 - the verdict tells them apart
            return self._failed(batch, error)
        self._end_part(batch, messages, answers)
        return True

    def _failed(self, batch: Batch[M], error: Exception) -> bool:
        part = batch.parts[0]
        step = verdict(error, self._attempt, self._limits.attempts, len(part))
        why = reason(error)
        _log.warning("batch_not_handled", step=step.name.lower(), messages=len(part), reason=why)
        if step is Verdict.WAIT:
            return self._wait_longer()
        if step is Verdict.SPLIT:
            batch.split()
            self._attempt = 0
            self._in_trouble = True
        if step is Verdict.BURY:
            if not self._bury([(part[0].source, why)]):
                return self._wait_longer()
            self._in_trouble = True
            self._end_part(batch, [part[0].message], [self._handler.dead_lettered(part[0].message)])
        return True

    def _bury_undecodable(self, batch: Batch[M]) -> bool:
        if not self._bury([(bad.source, bad.reason) for bad in batch.undecodable]):
            return self._wait_longer()
        batch.undecodable.clear()
        self._delay_s = self._limits.first_delay_s
        return True

    def _end_part(self, batch: Batch[M], messages: Sequence[M], answers: Sequence[R | None]) -> None:
        batch.end_part(handled=[answer is not None for answer in answers])
        self._attempt = 0
        self._delay_s = self._limits.first_delay_s
        answered = zip(messages, answers, strict=True)
        self._replier.reply([(message, answer) for message, answer in answered if answer is not None])

    def _bury(self, letters: Sequence[tuple[Message, str]]) -> bool:
        try:
            self._dead_letters.write(letters)
        except DeadLettersAwayError as error:
            _log.warning("dead_letters_away", letters=len(letters), reason=str(error))
            return False
        self.buried += len(letters)
        for source, why in letters:
            _log.error(
                "dead_letter", topic=source.topic(), partition=source.partition(), offset=source.offset(), reason=why
            )
        return True

    def _wait_longer(self) -> bool:
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, self._limits.longest_delay_s)
        return self._wait(delay_s)
