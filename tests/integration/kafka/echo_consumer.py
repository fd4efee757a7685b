"""Both ends of a command: a replica that sends it, and a loop that answers it without a database."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from confluent_kafka import Consumer, TopicPartition

from consumers.door import DoorLoop, DoorReplier
from consumers.loop import ConsumerLoop, LoopLimits
from consumers.pending_messages import decoding_values
from domain.door.model import (
    CheckPayment,
    Direction,
    DoorResult,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanRequest,
)
from domain.ids import new_id
from integrations.kafka.clients import assigned_consumer_config, open_group_consumer
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.messages import DeadLetter, DoorCommand, ReplyTo, ScanCommand, decode_command
from integrations.kafka.replies import ReplyListener
from integrations.kafka.reply_sender import ReplySender
from integrations.metrics_registry import MetricsRegistry
from integrations.settings import DoorSettings, Settings
from tests.waiting import eventually

PATIENCE_S = 30.0


class EchoHandler:
    """Answers each scan with its scan id. `fails` raises the failures of a test."""

    def __init__(self, fails: Callable[[Sequence[DoorCommand]], None] = lambda _commands: None) -> None:
        self._fails = fails
        self.handled: list[str] = []

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult]:
        self._fails(messages)
        scans = [command.scan for command in messages if isinstance(command, ScanCommand)]
        self.handled += [scan.scan_id for scan in scans]
        return [CheckPayment(scan.scan_id, scan.asked_by) for scan in scans]

    def on_dead_letter(self, message: DoorCommand) -> DoorResult:
        return Rejected(Problem.NOT_DECIDED, str(message.command_id))


def echo_loop(settings: Settings, handler: EchoHandler, batch_max: int = 256) -> DoorLoop:
    """A started loop with the real Kafka clients and a handler without a database."""
    loop: DoorLoop = ConsumerLoop(
        open_group_consumer(settings.kafka, settings.kafka.door_group),
        settings.kafka.commands_topic,
        decoding_values(decode_command),
        handler,
        DeadLetterWriter(settings.kafka),
        DoorReplier(ReplySender(settings), MetricsRegistry()),
        LoopLimits(batch_max=batch_max),
    )
    loop.start()
    return loop


@asynccontextmanager
async def listening(settings: Settings, replica_id: str = "gateway-1") -> AsyncIterator[ReplyListener]:
    """A listener that is ready."""
    listener = ReplyListener(settings.kafka, replica_id, asyncio.get_running_loop())
    listener.start()
    try:
        await eventually(lambda: listener.ready)
        yield listener
    finally:
        await asyncio.to_thread(listener.close)


def scan_command(
    reply_to: ReplyTo, gym_id: UUID, scan_id: str | None = None, seconds: float = PATIENCE_S
) -> ScanCommand:
    now = datetime.now(UTC)
    request = ScanRequest(
        scan_id or str(new_id()),
        new_id(),
        gym_id,
        new_id(),
        Direction.ENTER,
        PassReading(PassStatus.VALID, new_id(), now),
        now,
        now + timedelta(seconds=seconds),
    )
    return ScanCommand(new_id(), reply_to, request)


def patient(settings: Settings) -> Settings:
    """Settings with a deadline that is longer than the start of a consumer group."""
    return settings.model_copy(update={"door": DoorSettings(deadline_s=PATIENCE_S)})


def dead_letters(settings: Settings, count: int) -> list[DeadLetter]:
    """Read this many dead letters from the beginning of the topic."""
    topic = settings.kafka.dead_letters_topic
    reader = Consumer(assigned_consumer_config(settings.kafka, "reader"))
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    letters: list[DeadLetter] = []
    give_up_at = time.monotonic() + PATIENCE_S
    while len(letters) < count and time.monotonic() < give_up_at:
        message = reader.poll(0.2)
        if message is not None and message.error() is None:
            letters.append(msgspec.json.decode(message.value() or b"", type=DeadLetter))
    reader.close()
    return letters
