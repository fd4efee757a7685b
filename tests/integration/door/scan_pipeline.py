"""The whole path of a door's command in one process: real gateway, scanner, Kafka clients, consumer and store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr

from consumers.door import DoorConsumerDependencies, DoorLoop
from deployments.gateway.assembly import assemble
from deployments.qr.assembly import assemble_scanner
from domain.clock import system_clock
from domain.door.model import Reason
from domain.ids import new_id
from domain.passes import issue_times
from domain.unit_of_work import Store
from integrations.kafka.command_producer import CommandProducer
from integrations.kafka.door_commands import DoorCommandClient
from integrations.kafka.replies import ReplyListener
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key
from integrations.settings import DatabaseSettings, KafkaSettings
from tests.unit.deployments.harness import API, GymWithGate, Harness, PublicAddress
from tests.waiting import eventually
from tests.world import ManualClock, World

UNLIMITED = 1_000_000
LONG_DAYS = 3650


class RunningClock(ManualClock):
    """The clock of a world that nobody holds."""

    def __call__(self) -> datetime:
        return system_clock()


@dataclass
class HealthyDoor:
    """A door whose members come and go, one after the other."""

    at: GymWithGate
    members: list[UUID] = field(default_factory=list)


@dataclass
class ScanPipeline:
    """Everything, put together. `asked` scans of healthy doors, of which `late` were not answered in time."""

    harness: Harness
    client: httpx.AsyncClient
    loop: DoorLoop
    signer: PassSigner
    asked: int = 0
    late: int = 0

    @property
    def world(self) -> World:
        return self.harness.world

    def code(self, member_id: UUID) -> str:
        """The code that the member's phone shows now."""
        [issued_at] = issue_times(system_clock())
        return self.signer.sign(member_id, issued_at)

    async def come_and_go(self, door: HealthyDoor) -> None:
        """A member enters and leaves, and each answer is right."""
        if not door.members:
            door.members = self.world.members(50, days=LONG_DAYS)
        code = self.code(door.members.pop())
        for direction, outcome, occupancy in (("enter", "entered", 1), ("leave", "left", 0)):
            told = await self._decided(door.at, code, direction)
            assert (told["outcome"], told["occupancy"]) == (outcome, occupancy), told

    async def _decided(self, at: GymWithGate, code: str, direction: str) -> dict[str, Any]:
        """The decision about a scan, asked for again as a door does after its deadline; anything else is wrong."""
        scan_id = str(new_id())
        while True:
            body = {"code": code, "gate_id": str(at.gate), "direction": direction, "scan_id": scan_id}
            self.asked += 1
            answer = await self.client.post("/scans", json=body, headers=at.headers)
            told: dict[str, Any] = answer.json()
            if is_late(answer):
                self.late += 1
            elif answer.status_code == httpx.codes.OK and told["reason"] == Reason.TOO_LATE:
                scan_id = str(new_id())
            else:
                assert answer.status_code == httpx.codes.OK, (direction, answer.text)
                return told


def is_late(answer: httpx.Response) -> bool:
    """Whether a deadline was over before there was an answer, as it may be on a busy machine."""
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and answer.json()["code"] == "no_answer_in_time"


@asynccontextmanager
async def scan_pipeline(url: str, kafka: KafkaSettings, folder: Path) -> AsyncIterator[ScanPipeline]:
    """The path on a migrated store and on topics of its own."""
    store = Store(url, pool_size=4)
    harness = Harness(
        World(store, RunningClock(system_clock())),
        api=API.model_copy(update={"max_body_bytes": 64 * 1024, "requests_per_user_per_second": UNLIMITED}),
        folder=folder,
        deadline_s=1.8,
        scans_per_device_per_second=UNLIMITED,
    )
    settings = harness.settings
    settings.kafka = kafka
    settings.database = DatabaseSettings(url=SecretStr(url))
    key_dir = folder / "keys"
    ensure_pass_key(key_dir)
    parts = DoorConsumerDependencies(settings)
    loop = parts.build_loop()
    loop.start()
    listener = ReplyListener(kafka, "gateway-1", asyncio.get_running_loop())
    listener.start()
    producer = CommandProducer(settings)
    commands = DoorCommandClient(settings, listener, producer)
    verifier = PassVerifier(key_dir)
    gateway = assemble(
        replace(harness.others, replies=listener, commands=commands), settings, system_clock, rest=harness.rest
    ).app
    others = replace(harness.scanner_others, verifier=verifier, producer=producer, replies=listener, commands=commands)
    scanner = assemble_scanner(others, settings, system_clock).app
    try:
        await eventually(lambda: listener.ready)
        assert await asyncio.to_thread(loop.wait_for_partitions, 30)
        async with harness.client_of(PublicAddress(gateway, scanner)) as client:
            yield ScanPipeline(harness, client, loop, PassSigner(key_dir))
    finally:
        await harness.client.aclose()
        await asyncio.to_thread(producer.close)
        await asyncio.to_thread(listener.close)
        await asyncio.to_thread(loop.stop, 30)
        await asyncio.to_thread(parts.close)
        store.close()
