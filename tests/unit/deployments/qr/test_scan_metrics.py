"""Every scan is counted by what its door was answered."""

import asyncio
from unittest.mock import AsyncMock

import pytest

from deployments.http.problems import retryable
from tests.unit.deployments.harness import Harness, settled
from tests.unit.deployments.qr.test_scan_commands import FakeSink

pytestmark = pytest.mark.anyio


async def test_every_scan_is_counted_by_what_its_door_was_answered(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = harness.gym_with_gate()
    for member in harness.world.members(2):
        assert (await harness.scan(at, member)).status_code == 200
    assert (await harness.scan(at, "x", headers={})).status_code == 401
    harness.producer.door = lambda _command: None
    assert (await harness.scan(at, "x")).status_code == 503
    leaving = asyncio.create_task(harness.scan(at, "x"))
    await settled(50)
    leaving.cancel()
    await settled(50)

    for problem in (retryable("busy", "."), ValueError()):
        monkeypatch.setattr(harness.scans._commands, "decide", AsyncMock(side_effect=problem))  # noqa: SLF001 - a failure, played
        await harness.scan(at, "x")
    sink = FakeSink()
    harness.tally.export(sink)
    assert {key[1]: value for key, value in sink.told.items() if key[0] == "fitmonitor_scan_answers"} == {
        "ok": 2,
        "unauthenticated": 1,
        "no_answer_in_time": 1,
        "busy": 1,
        "internal_error": 1,
        "gone": 1,
    }
    assert sink.told["fitmonitor_scan_answer_seconds_count",] == 7
