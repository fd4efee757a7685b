"""The door's part of the loop: commands in, decisions out."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

from sqlalchemy import Connection

from consumers.frozen import give_up_locks_when_frozen
from consumers.loop import ConsumerLoop, LoopLimits
from consumers.ports import Handler, Replier
from domain.clock import Clock, system_clock
from domain.door.model import DoorLimits, DoorRequest, DoorResult, Problem, Rejected
from domain.door.service import decide_batch
from domain.unit_of_work import Store
from integrations.kafka.clients import open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.messages import (
    AnnulCommand,
    DoorCommand,
    DoorReply,
    EndVisitCommand,
    HeadCountCommand,
    MachineCommand,
    OfflineScanCommand,
    ReplyTo,
    ScanCommand,
    TidyCommand,
    decode_command,
    reply,
)
from integrations.kafka.reply_sender import ReplySender
from integrations.replica import Closing
from integrations.settings import Settings

DoorLoop = ConsumerLoop[DoorCommand, DoorResult]
Decide = Callable[[Connection, Sequence[DoorRequest], Clock, DoorLimits], list[DoorResult | None]]

FROZEN_AFTER_S = 5  # a batch pauses for some hundredths of a second between two statements
_NOT_DECIDED = Rejected(
    Problem.NOT_DECIDED, "This question could not be decided and was set aside for the operators. Ask the staff."
)


class DoorHandler:
    """Decides a batch of commands in one unit of work.

    Args:
        store: the database.
        clock: read after the data of each decision is loaded.
        limits: figures of the door.
        decide: the door's use case.
    """

    def __init__(self, store: Store, clock: Clock, limits: DoorLimits, decide: Decide = decide_batch) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._decide = decide

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult | None]:
        """Decide commands in order and commit."""
        requests = [request_of(command) for command in messages]
        with self._store.writing() as connection:
            return self._decide(connection, requests, self._clock, self._limits)

    def dead_lettered(self, message: DoorCommand) -> DoorResult:  # noqa: ARG002 - the same for every command
        """What whoever asked is told of a command that failed by itself."""
        return _NOT_DECIDED


class SendsReplies(Protocol):
    """The way back to the replicas that asked."""

    def send(self, reply_to: ReplyTo, replies: Sequence[DoorReply]) -> None:
        """Send all replies of one batch for one replica."""

    def serve_reports(self) -> None:
        """Take notice of what could not be delivered."""


class DoorReplier:
    """Bundles the replies of a batch: one message for each replica that asked."""

    def __init__(self, sender: SendsReplies) -> None:
        self._sender = sender

    def reply(self, answered: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        """Send the results of commands that were decided together."""
        bundles: dict[ReplyTo, list[DoorReply]] = {}
        for command, result in answered:
            if command.reply_to is None:
                continue
            bundles.setdefault(command.reply_to, []).append(reply(command.command_id, result))
        for reply_to, replies in bundles.items():
            self._sender.send(reply_to, replies)
        self._sender.serve_reports()


class DoorParts:
    """The door's consumer with everything that it opens. Close it after its loop has ended.

    Args:
        settings: where the database and Kafka are, and the door's limits.
        clock: tells the time of decisions.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        database = settings.database
        self.store = Store(
            database.url.get_secret_value(), pool_size=1, statement_timeout_s=database.statement_timeout_s
        )
        give_up_locks_when_frozen(self.store.engine, FROZEN_AFTER_S)
        self.sender = ReplySender(settings)
        self.dead_letters = DeadLetterWriter(settings.kafka)
        self.consumer = open_group_consumer(settings.kafka, settings.kafka.door_group)
        self.handler: Handler[DoorCommand, DoorResult] = DoorHandler(self.store, clock, door_limits(settings))
        self.replier: Replier[DoorCommand, DoorResult] = DoorReplier(self.sender)
        self.limits = LoopLimits(batch_max=settings.door.batch_max)
        self.topic = settings.kafka.commands_topic

    def loop(self) -> DoorLoop:
        """The loop of these parts; it closes the consumer itself."""
        return ConsumerLoop(
            self.consumer, self.topic, decode_command, self.handler, self.replier, self.dead_letters, self.limits
        )

    def close(self) -> None:
        """Send the last replies and give back the connections."""
        closing = Closing()
        closing.add("store", self.store.close)
        closing.add("dead_letters", self.dead_letters.close)
        closing.add("sender", self.sender.close)
        closing.close()


def door_limits(settings: Settings) -> DoorLimits:
    """The door's figures, from the settings."""
    return DoorLimits(
        repeat_window=timedelta(seconds=settings.door.repeat_window_s),
        annul_window=timedelta(seconds=settings.door.annul_window_s),
    )


def request_of(command: DoorCommand) -> DoorRequest:
    """What a command asks of the door."""
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
        case TidyCommand():
            return command.tidy
