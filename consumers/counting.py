"""What the door's consumer counts: put around its handler and its replier, which know nothing of it."""

from collections.abc import Sequence

from consumers.handler import Handler, Replier
from domain.door.model import DoorResult, ScanAnswer
from integrations.kafka.messages import DoorCommand, ScanCommand
from integrations.metrics import BATCH_COMMANDS, DECISION_SECONDS, FAILED_BATCHES, REPEATED_SCANS, SCANS
from integrations.tally import Tags, Tally


class CountedHandler:
    """Counts transactions: how large, and how many failed.

    Args:
        handler: does the work.
        tally: where it is counted.
    """

    def __init__(self, handler: Handler[DoorCommand, DoorResult], tally: Tally) -> None:
        self._handler = handler
        self._sizes = tally.buckets(BATCH_COMMANDS)
        self._failed = tally.counts(FAILED_BATCHES)
        self.dead_lettered = handler.dead_lettered

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult | None]:
        """Handle messages as the handler does."""
        try:
            answers = self._handler.handle(messages)
        except Exception as error:
            self._failed.add(1, type(error).__name__)
            raise
        # What is set aside, as others hold its gym, comes again.
        self._sizes.observe(len(answers) - answers.count(None))
        return answers


class CountedReplier:
    """Counts decisions as they are told, which is after they were committed.

    Args:
        replier: tells them.
        tally: where they are counted.
    """

    def __init__(self, replier: Replier[DoorCommand, DoorResult], tally: Tally) -> None:
        self._replier = replier
        self._scans = tally.counts(SCANS)
        self._repeated = tally.counts(REPEATED_SCANS)
        self._seconds = tally.buckets(DECISION_SECONDS)

    def reply(self, answered: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        """Tell the answers; whoever waits for them waits no longer for their being counted."""
        self._replier.reply(answered)
        scans: dict[Tags, int] = {}
        seconds: list[float] = []
        repeated = 0
        for command, answer in answered:
            if not isinstance(answer, ScanAnswer) or not isinstance(command, ScanCommand):
                continue
            if answer.replayed:
                repeated += 1
                continue
            # `_value_` is the plain string; `value` and the hash of a member cost more than all the rest here.
            tags = answer.outcome._value_, answer.reason._value_ if answer.reason else ""
            scans[tags] = scans.get(tags, 0) + 1
            seconds.append((answer.decided_at - command.scan.arrived_at).total_seconds())
        self._scans.add_all(scans)
        self._seconds.observe_all(seconds)
        if repeated:
            self._repeated.add(repeated)
