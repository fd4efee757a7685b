import asyncio
from collections.abc import Mapping, Sequence

import pytest

from deployments.http.problems import later
from deployments.qr.answer_counts import AnswerCounts, counted_calls
from deployments.qr.questions import ScanQuestion
from integrations.metrics_registry import MetricsRegistry

pytestmark = pytest.mark.anyio


class FakeSink:
    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.told[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.told[name, *tags.values()] = value


async def told(outcome: bytes | BaseException) -> bytes:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_scan_is_counted_by_what_its_door_was_told() -> None:
    tally, sink = MetricsRegistry(), FakeSink()
    counts = AnswerCounts(tally)
    assert [await counts.of(told(answer)) for answer in (b"1", b"2")] == [b"1", b"2"]
    for problem in (later("no_answer_in_time", ""), later("busy", ""), ValueError(), asyncio.CancelledError()):
        with pytest.raises(type(problem)):
            await counts.of(told(problem))
    tally.export(sink)
    assert {key[1]: value for key, value in sink.told.items() if key[0] == "fitmonitor_scan_answers"} == {
        "ok": 2,
        "no_answer_in_time": 1,
        "busy": 1,
        "internal_error": 1,
        "gone": 1,
    }
    assert sink.told["fitmonitor_scan_answer_seconds_count",] == 6


async def test_calls_are_counted_by_how_many_scans_share_them() -> None:
    tally, sink = MetricsRegistry(), FakeSink()

    async def send(questions: Sequence[ScanQuestion]) -> list[bool]:
        return [True] * len(questions)

    call = counted_calls(send, tally)
    assert await call([]) == []
    tally.export(sink)
    assert sink.told["fitmonitor_handle_call_scans_count",] == 1
