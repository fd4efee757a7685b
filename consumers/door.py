"""The door's consumer: reads commands, decides them, sends the results back."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from consumers.database import open_store
from consumers.loop import ConsumerLoop, LoopLimits
from consumers.pending_messages import decoding_values
from domain.clock import Clock, system_clock
from domain.door.model import DoorLimits, DoorRequest, DoorResult, Problem, Rejected, ScanAnswer
from domain.door.service import decide_batch
from domain.unit_of_work import Store
from integrations.kafka.clients import open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.messages import (
    AnnulCommand,
    DoorCommand,
    DoorReply,
    EndVisitCommand,
    ExpireVisitsCommand,
    HeadCountCommand,
    MachineCommand,
    OfflineScanCommand,
    ReplyTo,
    ScanCommand,
    decode_command,
    reply,
)
from integrations.kafka.reply_sender import ReplySender
from integrations.metrics import BATCH_COMMANDS, DECISION_SECONDS, FAILED_BATCHES, REPEATED_SCANS, SCANS
from integrations.metrics_registry import MetricsRegistry, Tags
from integrations.replica import OpenResources
from integrations.settings import Settings

DoorLoop = ConsumerLoop[DoorCommand, DoorResult]
Decide = Callable[[Connection, Sequence[DoorRequest], Clock, DoorLimits], list[DoorResult | None]]

IDLE_SESSION_TIMEOUT_S = 5  # a batch pauses for some hundredths of a second between two statements
_NOT_DECIDED = Rejected(
    Problem.NOT_DECIDED, "This request could not be decided. It was saved for the operators. Ask the staff."
)


class DoorHandler:
    """Decides a batch of commands in one unit of work, and counts batches.

    Args:
        store: the database.
        clock: read after the data of each decision is loaded.
        limits: the limits of the door.
        metrics: counts batches by size, and failures by error.
        decide: the use case of the door.
    """

    def __init__(
        self, store: Store, clock: Clock, limits: DoorLimits, metrics: MetricsRegistry, decide: Decide = decide_batch
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._decide = decide
        self._batch_sizes = metrics.histogram(BATCH_COMMANDS)
        self._failures = metrics.counter(FAILED_BATCHES)

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult | None]:
        """Decide commands in order and commit."""
        requests = [request_of(command) for command in messages]
        try:
            with self._store.writing() as connection:
                results = self._decide(connection, requests, self._clock, self._limits)
        except Exception as error:
            self._failures.add(1, type(error).__name__)
            raise
        self._batch_sizes.observe(len(results) - results.count(None))  # deferred commands come again
        return results

    def on_dead_letter(self, message: DoorCommand) -> DoorResult:  # noqa: ARG002 - the same for every command
        """The result of a command that was moved to the dead-letter topic."""
        return _NOT_DECIDED


class DoorReplier:
    """Sends the results of a batch, one message per waiting replica, and counts decisions.

    Args:
        sender: produces the replies.
        metrics: counts scans by outcome and reason, and how long decisions took.
    """

    def __init__(self, sender: ReplySender, metrics: MetricsRegistry) -> None:
        self._sender = sender
        self._scans = metrics.counter(SCANS)
        self._repeated = metrics.counter(REPEATED_SCANS)
        self._decision_seconds = metrics.histogram(DECISION_SECONDS)

    def reply(self, results: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        """Send the results of commands that were decided together, then count them."""
        by_replica: dict[ReplyTo, list[DoorReply]] = {}
        for command, result in results:
            if command.reply_to is not None:
                by_replica.setdefault(command.reply_to, []).append(reply(command.command_id, result))
        for reply_to, replies in by_replica.items():
            self._sender.send(reply_to, replies)
        self._sender.serve_reports()
        self._count(results)

    def _count(self, results: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        scans: dict[Tags, int] = {}
        seconds: list[float] = []
        repeated = 0
        for command, answer in results:
            if not isinstance(answer, ScanAnswer) or not isinstance(command, ScanCommand):
                continue
            if answer.replayed:
                repeated += 1
                continue
            # `_value_` is the plain string. `value` and the hash of an enum member cost more than the rest here.
            tags = answer.outcome._value_, answer.reason._value_ if answer.reason else ""
            scans[tags] = scans.get(tags, 0) + 1
            seconds.append((answer.decided_at - command.scan.arrived_at).total_seconds())
        self._scans.add_all(scans)
        self._decision_seconds.observe_all(seconds)
        if repeated:
            self._repeated.add(repeated)


class DoorConsumerDependencies:
    """What the door's consumer opens. Close it after its loop has ended.

    Args:
        settings: the database, Kafka, and the limits of the door.
        metrics: where decisions are counted.
        clock: the time of decisions.
    """

    def __init__(self, settings: Settings, metrics: MetricsRegistry | None = None, clock: Clock = system_clock) -> None:
        metrics = metrics or MetricsRegistry()
        self.store = open_store(settings.database, IDLE_SESSION_TIMEOUT_S)
        self.sender = ReplySender(settings)
        self.dead_letters = DeadLetterWriter(settings.kafka)
        self.consumer = open_group_consumer(settings.kafka, settings.kafka.door_group)
        self.handler = DoorHandler(self.store, clock, door_limits(settings), metrics)
        self.replier = DoorReplier(self.sender, metrics)
        self.limits = LoopLimits(batch_max=settings.door.batch_max)
        self.topic = settings.kafka.commands_topic

    def build_loop(self, after_commit: Callable[[], None] | None = None) -> DoorLoop:
        """The loop, which closes the consumer itself.

        Args:
            after_commit: called after each commit and its replies.
        """
        return ConsumerLoop(
            self.consumer,
            self.topic,
            decoding_values(decode_command),
            self.handler,
            self.dead_letters,
            self.replier,
            self.limits,
            after_commit,
        )

    def close(self) -> None:
        """Send the last replies and close the connections."""
        resources = OpenResources()
        resources.add("store", self.store.close)
        resources.add("dead_letters", self.dead_letters.close)
        resources.add("sender", self.sender.close)
        resources.close()


def door_limits(settings: Settings) -> DoorLimits:
    """The limits of the door, from the settings."""
    return DoorLimits(
        repeat_window=timedelta(seconds=settings.door.repeat_window_s),
        annul_window=timedelta(seconds=settings.door.annul_window_s),
    )


def request_of(command: DoorCommand) -> DoorRequest:
    """The request that a command carries."""
    match command:
        case ScanCommand():
            return command.scan
        case AnnulCommand():
            return command.annul
        case EndVisitCommand():
            return command.end
        case OfflineScanCommand():
            return command.offline
        case HeadCountCommand():
            return command.count
        case MachineCommand():
            return command.machine
        case ExpireVisitsCommand():
            return command.expire
