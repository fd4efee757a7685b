from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from consumers.counting import CountedHandler, CountedReplier
from domain.door.model import (
    AnnulAnswer,
    Direction,
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
from integrations.kafka.messages import DoorCommand, ReplyTo, ScanCommand
from integrations.tally import Tally

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class FakeSink:
    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.told[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.told[name, *tags.values()] = value


class FakeHandler:
    def __init__(self) -> None:
        self.fails = False

    def handle(self, messages: Sequence[DoorCommand]) -> Sequence[DoorResult]:
        if self.fails:
            raise TimeoutError
        return [Rejected(Problem.NOT_DECIDED, "")] * len(messages)

    def dead_lettered(self, message: DoorCommand) -> DoorResult:  # noqa: ARG002
        return Rejected(Problem.NOT_DECIDED, "buried")


class FakeReplier:
    def __init__(self) -> None:
        self.replied: list[tuple[DoorCommand, DoorResult]] = []

    def reply(self, answered: Sequence[tuple[DoorCommand, DoorResult]]) -> None:
        self.replied += answered


def command(arrived_at: datetime = NOW) -> ScanCommand:
    reading = PassReading(PassStatus.VALID, new_id(), NOW)
    ids = new_id(), new_id(), new_id()
    request = ScanRequest("s", *ids, Direction.ENTER, reading, arrived_at, arrived_at + timedelta(seconds=1.8))
    return ScanCommand(new_id(), ReplyTo("gateway-1", 2), request)


def answer(outcome: Outcome, reason: Reason | None = None, *, replayed: bool = False) -> ScanAnswer:
    decided_at = NOW + timedelta(seconds=0.02)
    return ScanAnswer("s", outcome, reason, None, None, UUID(int=1), 3, 100, decided_at, replayed)


def told(tally: Tally) -> dict[tuple[str, ...], float]:
    sink = FakeSink()
    tally.hand_on(sink)
    return sink.told


def test_decisions_are_counted_by_outcome_and_reason_and_repeats_apart() -> None:
    tally, replier = Tally(), FakeReplier()
    answered: list[tuple[DoorCommand, DoorResult]] = [
        (command(), answer(Outcome.ENTERED)),
        (command(), answer(Outcome.ENTERED)),
        (command(), answer(Outcome.REFUSED, Reason.GYM_FULL)),
        (command(), answer(Outcome.ENTERED, replayed=True)),
        (command(), Rejected(Problem.NOT_DECIDED, "")),
        (command(), AnnulAnswer("s", NOW, UUID(int=1), 3, 100)),
    ]
    CountedReplier(replier, tally).reply(answered)
    assert replier.replied == answered
    found = told(tally)
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


def test_transactions_are_counted_by_size_and_failures_by_error() -> None:
    tally, handler = Tally(), FakeHandler()
    counted = CountedHandler(handler, tally)
    assert len(counted.handle([command()] * 3)) == 3
    handler.fails = True
    with pytest.raises(TimeoutError):
        counted.handle([command()])
    assert counted.dead_lettered(command()) == Rejected(Problem.NOT_DECIDED, "buried")
    found = told(tally)
    assert found["fitmonitor_failed_batches", "TimeoutError"] == 1
    assert found["fitmonitor_batch_commands_sum",] == 3
    assert found["fitmonitor_batch_commands_bucket", "4"] == 1
