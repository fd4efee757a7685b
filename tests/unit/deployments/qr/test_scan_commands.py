"""One scan's command and its reply."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from deployments.http.problems import ApiProblem
from deployments.qr.scan_commands import ScanCommands
from domain.door.model import CheckPayment, Direction, OfflineScan, PassReading, PassStatus, ScanRequest
from domain.ids import new_id
from integrations.kafka.messages import (
    DoorReply,
    OfflineScanCommand,
    ScanCommand,
    decode_command,
    encode,
    reply,
)
from integrations.metrics_registry import MetricsRegistry
from tests.unit.deployments.harness import StandInProducer, StandInReplies, settled
from tests.waiting import eventually

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VALID = PassReading(PassStatus.VALID, UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab"), NOON)


def request(reading: PassReading = VALID, **changes: Any) -> ScanRequest:  # noqa: ANN401 - any field
    scan = ScanRequest(
        scan_id=str(new_id()),
        asked_by=new_id(),
        gym_id=new_id(),
        gate_id=new_id(),
        direction=Direction.ENTER,
        reading=reading,
        arrived_at=NOON,
        decide_by=NOON + timedelta(seconds=1.8),
    )
    return replace(scan, **changes)


def answer(command: ScanCommand | OfflineScanCommand) -> DoorReply:
    return DoorReply(command_id=command.command_id, kind="scan_answer", body=msgspec.Raw(b"{}"))


class Path:
    """The way of scans to a door that is silent until a test answers for it."""

    def __init__(self) -> None:
        self.replies = StandInReplies()
        self.producer = StandInProducer(self.replies, lambda _command: None)
        self.tally = MetricsRegistry()
        self.settled: list[object] = []
        payments: Any = self.payments  # settles; nothing here is idempotent
        self.commands = ScanCommands(self.replies, self.producer, payments, self.tally)

    async def payments(self, _method: Any, /, *asked: Any, **_named: Any) -> Any:  # noqa: ANN401 - whatever is asked
        self.settled += asked

    def asking(self, scan: ScanRequest, seconds: float = 30) -> asyncio.Task[DoorReply]:
        return asyncio.create_task(self.commands.decide(scan, until(seconds)))


class FakeSink:
    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.told[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.told[name, *tags.values()] = value


@pytest.fixture
def path() -> Path:
    return Path()


def until(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_scan_is_one_command_of_its_gym_that_names_where_its_reply_goes(path: Path) -> None:
    scan = request(scanned_at=NOON)
    path.producer.door = answer
    assert (await path.asking(scan)).kind == "scan_answer"
    (command,) = path.producer.sent
    assert isinstance(command, ScanCommand)
    assert (command.scan, command.reply_to) == (scan, path.replies.reply_to)
    assert decode_command(encode(command)) == command


async def test_an_uploaded_scan_is_sent_as_one(path: Path) -> None:
    path.producer.door = answer
    scan = request(direction=Direction.LEAVE)
    await path.commands.record(OfflineScan(scan), until(30))
    (command,) = path.producer.sent
    assert isinstance(command, OfflineScanCommand)
    assert command.offline.scan == scan
    assert decode_command(encode(command)) == command


async def test_a_reply_that_arrives_before_the_command_is_produced_is_taken(path: Path) -> None:
    path.producer.door = answer  # the stand-in replies within `produce`
    assert (await path.asking(request())).kind == "scan_answer"
    assert not path.replies.waiting


async def test_a_later_reply_is_awaited(path: Path) -> None:
    asking = path.asking(request())
    await settled(20)
    assert not asking.done()
    path.replies.give(answer(path.producer.sent[0]))
    assert (await asking).kind == "scan_answer"
    assert not path.replies.waiting


async def test_the_deadline_ends_the_wait_and_a_late_reply_harms_nobody(path: Path) -> None:
    asking = path.asking(request(), 0.1)
    await settled()
    [waiter] = path.replies.waiting.values()
    with pytest.raises(ApiProblem) as problem:
        await asking
    assert problem.value.code == "no_answer_in_time"
    assert waiter.done()
    assert not path.replies.waiting
    path.replies.give(answer(path.producer.sent[0]))


async def test_each_wait_ends_at_its_own_deadline(path: Path) -> None:
    began = asyncio.get_running_loop().time()
    late, early, past = (path.asking(request(), seconds) for seconds in (0.4, 0.1, -1))
    for asking, before in ((past, 0.1), (early, 0.3), (late, 1.0)):
        with pytest.raises(ApiProblem):
            await asking
        assert asyncio.get_running_loop().time() - began < before
    assert asyncio.get_running_loop().time() - began > 0.35


async def test_a_command_that_is_not_produced_is_reported_at_once_and_leaves_nothing_behind(path: Path) -> None:
    path.producer.refuses = lambda _command: True
    with pytest.raises(ApiProblem) as problem:
        await path.asking(request())
    assert problem.value.code == "unavailable"
    assert not path.replies.waiting


async def test_a_caller_that_is_cancelled_does_not_lose_its_scan(path: Path) -> None:
    asking = path.asking(request())
    await settled()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert path.replies.waiting
    path.replies.give(answer(path.producer.sent[0]))
    await settled()
    assert not path.replies.waiting


async def test_a_scan_whose_caller_is_cancelled_is_sent_again_after_the_payment_check(path: Path) -> None:
    scan, member = request(), new_id()
    asking = path.asking(scan)
    await settled()
    asking.cancel()
    await settled()
    path.replies.give(reply(path.producer.sent[0].command_id, CheckPayment(scan_id=scan.scan_id, member_id=member)))
    await eventually(lambda: len(path.producer.sent) > 1)
    assert path.settled == [member]
    assert [sent.payment_checked for sent in path.producer.scans] == [False, True]
    path.replies.give(answer(path.producer.sent[1]))
    await settled()
    assert not path.replies.waiting


async def test_scans_are_counted_by_what_their_passes_are(path: Path) -> None:
    path.producer.door = answer
    for status in (PassStatus.VALID, PassStatus.VALID, PassStatus.STALE, PassStatus.FORGED):
        await path.asking(request(PassReading(status)))
    await path.commands.record(OfflineScan(request(PassReading(PassStatus.STALE))), until(30))
    sink = FakeSink()
    path.tally.export(sink)
    assert sink.told == {
        ("fitmonitor_pass_readings", "valid"): 2,
        ("fitmonitor_pass_readings", "stale"): 2,
        ("fitmonitor_pass_readings", "forged"): 1,
    }
