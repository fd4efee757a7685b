import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime

import pytest

from deployments.gateway.counting import CountedScans, counted_calls
from deployments.gateway.problems import ApiProblem, later
from deployments.qr.questions import ScanQuestion
from integrations.tally import Tally
from tests.world import START

pytestmark = pytest.mark.anyio


class FakeSink:
    def __init__(self) -> None:
        self.told: dict[tuple[str, ...], float] = {}

    def add(self, name: str, _description: str, tags: Mapping[str, str], amount: float) -> None:
        self.told[name, *tags.values()] = amount

    def put(self, name: str, _description: str, tags: Mapping[str, str], value: float) -> None:
        self.told[name, *tags.values()] = value


class Desk:
    def __init__(self, *outcomes: bytes | BaseException) -> None:
        self._outcomes = list(outcomes)

    async def scan(self, authorization: str | None, body: bytes, arrived_at: datetime, until: float) -> bytes:
        assert (authorization, body, arrived_at, until) == ("Device", b"scan", START, 1.0)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_every_scan_is_counted_by_what_its_door_was_told() -> None:
    tally, sink = Tally(), FakeSink()
    scans = CountedScans(
        Desk(b"1", b"2", later("no_answer_in_time", ""), later("busy", ""), ValueError(), asyncio.CancelledError()),
        tally,
    )
    for expected in (None, None, ApiProblem, ApiProblem, ValueError, asyncio.CancelledError):
        if expected is None:
            assert await scans.scan("Device", b"scan", START, 1.0) in {b"1", b"2"}
        else:
            with pytest.raises(expected):
                await scans.scan("Device", b"scan", START, 1.0)
    tally.hand_on(sink)
    assert {key[1]: value for key, value in sink.told.items() if key[0] == "fitmonitor_scan_answers"} == {
        "ok": 2,
        "no_answer_in_time": 1,
        "busy": 1,
        "internal_error": 1,
        "gone": 1,
    }
    assert sink.told["fitmonitor_scan_answer_seconds_count",] == 6


async def test_calls_are_counted_by_how_many_scans_share_them() -> None:
    tally, sink = Tally(), FakeSink()

    async def send(questions: Sequence[ScanQuestion]) -> list[bool]:
        return [True] * len(questions)

    call = counted_calls(send, tally)
    assert await call([]) == []
    tally.hand_on(sink)
    assert sink.told["fitmonitor_handle_call_scans_count",] == 1
