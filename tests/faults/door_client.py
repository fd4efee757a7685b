"""A door that asks as doors do: the same scan id again and again until it has a decision."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from domain.door.model import AnnulAnswer, AnnulRequest, DoorResult, Rejected, ScanAnswer, ScanRequest
from domain.ids import new_id
from integrations.kafka.door_commands import DoorCommandClient, NoAnswerInTime
from integrations.kafka.messages import AnnulCommand, ScanCommand
from integrations.kafka.replies import ReplyListener
from integrations.settings import Settings
from tests.faults import consumer_process
from tests.faults.consumer_process import Point
from tests.forked import LoggedProcess
from tests.waiting import eventually

PATIENCE_S = 120.0
_ASK_AGAIN_AFTER_S = 3.0
_TYPES = {"scan_answer": ScanAnswer, "annul_answer": AnnulAnswer, "rejected": Rejected}

Asked = tuple[str, UUID]


@dataclass
class Door:
    """Sends questions straight to Kafka, as the Gateway does, and keeps every answer it was given."""

    client: DoorCommandClient
    listener: ReplyListener
    given: dict[Asked, list[ScanAnswer]] = field(default_factory=lambda: defaultdict(list))

    async def ask(self, request: ScanRequest | AnnulRequest, patience_s: float = PATIENCE_S) -> DoorResult:
        """Ask until there is an answer. Every attempt may be decided: only the first decision may count."""
        give_up_at = datetime.now(UTC) + timedelta(seconds=patience_s)
        while datetime.now(UTC) < give_up_at:
            try:
                return await self.ask_once(request, _ASK_AGAIN_AFTER_S)
            except NoAnswerInTime:
                continue
        raise AssertionError(f"no answer to {request.scan_id}")

    async def ask_once(self, request: ScanRequest | AnnulRequest, wait_s: float) -> DoorResult:
        """Ask, and wait for so long; the command itself may be decided for longer.

        Raises:
            NoAnswerInTime: there was no answer.
        """
        wait_until = datetime.now(UTC) + timedelta(seconds=wait_s)
        command: ScanCommand | AnnulCommand
        if isinstance(request, ScanRequest):
            command = ScanCommand(new_id(), self.listener.reply_to, request)
        else:
            command = AnnulCommand(new_id(), self.listener.reply_to, request)
        reply = await self.client.send(command, request.gym_id, wait_until)
        answer: DoorResult = msgspec.json.decode(reply.body, type=_TYPES[reply.kind])
        if isinstance(answer, ScanAnswer) and isinstance(request, ScanRequest):
            self.given[request.scan_id, request.asked_by].append(answer)
        return answer

    async def ask_all(self, requests: Iterable[ScanRequest | AnnulRequest]) -> list[DoorResult]:
        """Ask all at once."""
        return list(await asyncio.gather(*(self.ask(request) for request in requests)))

    def starts_asking(self, requests: Iterable[ScanRequest]) -> asyncio.Task[list[DoorResult]]:
        """Ask all at once, while the test does something else."""
        return asyncio.create_task(self.ask_all(requests))


@asynccontextmanager
async def door(settings: Settings) -> AsyncIterator[Door]:
    """A door whose replies are heard."""
    listener = ReplyListener(settings.kafka, "gateway-1", asyncio.get_running_loop())
    listener.start()
    await eventually(lambda: listener.ready)
    client = DoorCommandClient(settings, listener)
    try:
        yield Door(client, listener)
    finally:
        await asyncio.to_thread(client.close)
        await asyncio.to_thread(listener.close)


def consumer(settings: Settings, log_file: Path, point: Point = Point.NOWHERE, after: int = 0) -> LoggedProcess:
    """Start a consumer in a process of its own."""
    return LoggedProcess(log_file, consumer_process.run, settings, point, after)


def patient(request: ScanRequest) -> ScanRequest:
    """The same scan with a deadline that outlasts the death of a consumer."""
    return replace(request, decide_by=request.arrived_at + timedelta(seconds=PATIENCE_S))
