"""What the gateway counts of scans: put around the desk that answers them, which knows nothing of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from deployments.gateway.problems import ApiProblem
from deployments.qr.questions import ScanQuestion
from integrations.metrics import ANSWER_SECONDS, ANSWERS, HANDLE_CALL_SCANS
from integrations.tally import Tally

Send = Callable[[Sequence[ScanQuestion]], Awaitable[list[bool]]]


class AnswersScans(Protocol):
    """Whoever answers a scan, as JSON."""

    async def scan(self, authorization: str | None, body: bytes, arrived_at: datetime, until: float) -> bytes:
        """The answer, or an `ApiProblem`."""


class CountedScans:
    """Counts answers by code and how long they took.

    Args:
        scans: answers them.
        tally: where they are counted.
    """

    def __init__(self, scans: AnswersScans, tally: Tally) -> None:
        self._scans = scans
        self._answers = tally.counts(ANSWERS)
        self._seconds = tally.buckets(ANSWER_SECONDS)

    async def scan(self, authorization: str | None, body: bytes, arrived_at: datetime, until: float) -> bytes:
        """The answer of the desk."""
        began_at = time.perf_counter()
        code = "internal_error"
        try:
            answer = await self._scans.scan(authorization, body, arrived_at, until)
            code = "ok"
        except ApiProblem as problem:
            code = problem.code
            raise
        except asyncio.CancelledError:
            code = "gone"
            raise
        finally:
            self._answers.add(1, code)
            self._seconds.observe(time.perf_counter() - began_at)
        return answer


def counted_calls(send: Send, tally: Tally) -> Send:
    """The same call to Qr, whose size is counted."""
    sizes = tally.buckets(HANDLE_CALL_SCANS)

    async def call(questions: Sequence[ScanQuestion]) -> list[bool]:
        sizes.observe(len(questions))
        return await send(questions)

    return call
