from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection

from consumers.door import DoorHandler, DoorReplier
from domain.clock import Clock
from domain.door.model import (
    AnnulAnswer,
    Direction,
    DoorLimits,
    DoorRequest,
    DoorResult,
    Outcome,
    PassReading,
    PassStatus,
    Problem,
    Reason,
    Rejected,
    ScanAnswer,
    ScanRequest,
)
from domain.ids import new_id
from domain.unit_of_work import Store
from integrations.kafka.messages import DoorCommand, DoorReply, ReplyTo, ScanCommand
from integrations.kafka.reply_sender import ReplySender
from integrations.metrics_registry import MetricsRegistry
from tests.world import ManualClock

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeExporter:
    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.values[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.values[name, *tags.values()] = value


class FakeSender(ReplySender):
    def __init__(self) -> None:  # without Kafka, so the original's is not called
        self.replies: list[DoorReply] = []

    def send(self, reply_to: ReplyTo, replies: Sequence[DoorReply]) -> None:  # noqa: ARG002 - all to one replica
        self.replies += replies

    def serve_reports(self) -> None:
        """None comes."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'door.sqlite3'}", pool_size=1)
    yield store
    store.close()


def command(arrived_at: datetime = NOW) -> ScanCommand:
    reading = PassReading(PassStatus.VALID, new_id(), NOW)
    ids = new_id(), new_id(), new_id()
    request = ScanRequest("s", *ids, Direction.ENTER, reading, arrived_at, arrived_at + timedelta(seconds=1.8))
    return ScanCommand(new_id(), ReplyTo("gateway-1", 2), request)


def answer(outcome: Outcome, reason: Reason | None = None, *, replayed: bool = False) -> ScanAnswer:
    decided_at = NOW + timedelta(seconds=0.02)
    return ScanAnswer("s", outcome, reason, None, None, UUID(int=1), 3, 100, decided_at, replayed)


def exported(metrics: MetricsRegistry) -> dict[tuple[str, ...], float]:
    exporter = FakeExporter()
    metrics.export(exporter)
    return exporter.values


def test_decisions_are_counted_by_outcome_and_reason_and_repeats_separately() -> None:
    metrics, sender = MetricsRegistry(), FakeSender()
    results: list[tuple[DoorCommand, DoorResult]] = [
        (command(), answer(Outcome.ENTERED)),
        (command(), answer(Outcome.ENTERED)),
        (command(), answer(Outcome.REFUSED, Reason.GYM_FULL)),
        (command(), answer(Outcome.ENTERED, replayed=True)),
        (command(), Rejected(Problem.NOT_DECIDED, "")),
        (command(), AnnulAnswer("s", NOW, UUID(int=1), 3, 100)),
    ]
    DoorReplier(sender, metrics).reply(results)
    assert [reply.command_id for reply in sender.replies] == [command.command_id for command, _ in results]
    found = exported(metrics)
    assert {
        key: value for key, value in found.items() if key[0] in {"fitmonitor_scans", "fitmonitor_repeated_scans"}
    } == {
        ("fitmonitor_scans", "entered", ""): 2,
        ("fitmonitor_scans", "refused", "gym_full"): 1,
        ("fitmonitor_repeated_scans",): 1,
    }
    assert found["fitmonitor_decision_seconds_count",] == 3
    assert found["fitmonitor_decision_seconds_sum",] == pytest.approx(0.06)
    assert found["fitmonitor_decision_seconds_bucket", "0.025"] == 3
    assert ("fitmonitor_decision_seconds_bucket", "0.01") not in found


def test_transactions_are_counted_by_size_and_failures_by_error(store: Store) -> None:
    metrics = MetricsRegistry()
    fails = [False]

    def decide(
        _connection: Connection, requests: Sequence[DoorRequest], _clock: Clock, _limits: DoorLimits
    ) -> list[DoorResult | None]:
        if fails[0]:
            raise TimeoutError
        return [Rejected(Problem.NOT_DECIDED, "")] * 3 + [None] * (len(requests) - 3)

    handler = DoorHandler(store, ManualClock(NOW), DoorLimits(), metrics, decide)
    assert len(handler.handle([command()] * 5)) == 5
    fails[0] = True
    with pytest.raises(TimeoutError):
        handler.handle([command()])
    found = exported(metrics)
    assert found["fitmonitor_failed_batches", "TimeoutError"] == 1
    assert found["fitmonitor_batch_commands_sum",] == 3, "two were deferred, and come again"
    assert found["fitmonitor_batch_commands_bucket", "4"] == 1
