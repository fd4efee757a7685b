from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import Connection, text

from consumers.door import DoorHandler, DoorReplier, door_limits
from domain.clock import Clock
from domain.door.model import (
    AnnulRequest,
    CheckPayment,
    Direction,
    DoorLimits,
    DoorRequest,
    DoorResult,
    EndVisitRequest,
    Inferred,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanRequest,
)
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.kafka.messages import AnnulCommand, DoorReply, EndVisitCommand, ReplyTo, ScanCommand
from integrations.kafka.reply_sender import ReplySender
from integrations.metrics_registry import MetricsRegistry
from integrations.settings import DoorSettings, Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HERE = ReplyTo("gateway-1", 2)
ELSEWHERE = ReplyTo("gateway-2", 5)

Requests = Sequence[DoorRequest]


def scan(scan_id: str = "s1", reply_to: ReplyTo = HERE) -> ScanCommand:
    reading = PassReading(PassStatus.VALID, new_id(), NOW)
    request = ScanRequest(
        scan_id, new_id(), new_id(), new_id(), Direction.ENTER, reading, NOW, NOW + timedelta(seconds=1.8)
    )
    return ScanCommand(new_id(), reply_to, request)


def annul() -> AnnulCommand:
    deadline = NOW + timedelta(seconds=1.8)
    request = AnnulRequest(
        "s1", new_id(), new_id(), new_id(), by_staff=False, reason="", arrived_at=NOW, decide_by=deadline
    )
    return AnnulCommand(new_id(), HERE, request)


def end_visit() -> EndVisitCommand:
    request = EndVisitRequest(new_id(), new_id(), Inferred.ACCOUNT_DELETED, NOW, NOW + timedelta(seconds=1.8))
    return EndVisitCommand(new_id(), HERE, request)


def result(scan_id: str) -> CheckPayment:
    return CheckPayment(scan_id, UUID(int=1))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'door.sqlite3'}", pool_size=1)
    with store.writing() as connection:
        connection.execute(text("CREATE TABLE decided (scan_id TEXT)"))
    yield store
    store.close()


def handler(
    store: Store, decide: Callable[[Connection, Requests, Clock, DoorLimits], list[DoorResult | None]]
) -> DoorHandler:
    return DoorHandler(store, lambda: NOW, DoorLimits(), MetricsRegistry(), decide)


def decided(store: Store) -> list[str]:
    with store.reading() as connection:
        return list(connection.scalars(text("SELECT scan_id FROM decided")))


def write(connection: Connection, requests: Requests) -> list[DoorResult | None]:
    scan_ids = [request.scan_id for request in requests if isinstance(request, ScanRequest)]
    connection.execute(text("INSERT INTO decided VALUES (:scan_id)"), [{"scan_id": scan_id} for scan_id in scan_ids])
    return [result(scan_id) for scan_id in scan_ids]


def test_a_batch_is_committed_when_it_is_handled(store: Store) -> None:
    results = handler(store, lambda connection, requests, _clock, _limits: write(connection, requests)).handle(
        [scan("a"), scan("b")]
    )
    assert results == [result("a"), result("b")]
    assert decided(store) == ["a", "b"]


def test_a_batch_that_fails_leaves_no_trace(store: Store) -> None:
    def fail(connection: Connection, requests: Requests, _clock: Clock, _limits: DoorLimits) -> list[DoorResult | None]:
        write(connection, requests)
        raise ValueError("poison")

    with pytest.raises(ValueError, match="poison"):
        handler(store, fail).handle([scan("a")])
    assert decided(store) == []


def test_every_type_of_command_reaches_the_door_in_order(store: Store) -> None:
    seen: list[type] = []

    def look(_connection: Connection, requests: Requests, clock: Clock, _limits: DoorLimits) -> list[DoorResult | None]:
        seen.extend(type(request) for request in requests)
        assert clock() == NOW
        return [result("s1") for _ in requests]

    handler(store, look).handle([scan(), annul(), end_visit(), scan()])
    assert seen == [ScanRequest, AnnulRequest, EndVisitRequest, ScanRequest]


def test_a_dead_lettered_command_is_answered_as_not_decided(store: Store) -> None:
    answer = handler(store, lambda *_: []).on_dead_letter(scan())
    assert isinstance(answer, Rejected)
    assert answer.problem is Problem.NOT_DECIDED


class FakeSender(ReplySender):
    def __init__(self) -> None:  # without Kafka, so the original's is not called
        self.sent: list[tuple[ReplyTo, list[DoorReply]]] = []
        self.served = 0

    def send(self, reply_to: ReplyTo, replies: Sequence[DoorReply]) -> None:
        self.sent.append((reply_to, list(replies)))

    def serve_reports(self) -> None:
        self.served += 1


def test_each_waiting_replica_gets_one_message_per_batch() -> None:
    sender = FakeSender()
    first, second, third = scan("a"), scan("b", ELSEWHERE), scan("c")
    DoorReplier(sender, MetricsRegistry()).reply([(first, result("a")), (second, result("b")), (third, result("c"))])
    assert [(to, [reply.command_id for reply in replies]) for to, replies in sender.sent] == [
        (HERE, [first.command_id, third.command_id]),
        (ELSEWHERE, [second.command_id]),
    ]
    assert sender.served == 1


def test_a_reply_carries_its_result_as_json() -> None:
    sender = FakeSender()
    DoorReplier(sender, MetricsRegistry()).reply([(scan("a"), result("a"))])
    [(_, [reply])] = sender.sent
    assert reply.kind == "check_payment"
    assert msgspec.json.decode(reply.body, type=CheckPayment) == result("a")


def test_the_limits_of_the_door_come_from_the_settings() -> None:
    settings = Settings(door=DoorSettings(repeat_window_s=3, annul_window_s=60))
    assert door_limits(settings) == DoorLimits(timedelta(seconds=3), timedelta(minutes=1))
