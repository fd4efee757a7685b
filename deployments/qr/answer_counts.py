"""What the gateway counts of scans: put around what answers them, which knows nothing of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from deployments.http.auth import Callers
from deployments.http.confirmed_cache import ConfirmedCache
from deployments.http.device_sightings import DeviceSightings
from deployments.http.ports import Replies
from deployments.http.problems import ApiProblem
from deployments.http.rate_limits import RateLimit
from deployments.qr.questions import ScanQuestion
from deployments.qr.scan_exchange import ScanExchange
from deployments.qr.scan_service import FindClient, ScanDesk
from domain.gyms.model import Gate
from integrations.metrics import ANSWER_SECONDS, ANSWERS, HANDLE_CALL_SCANS
from integrations.metrics_registry import MetricsRegistry

Send = Callable[[Sequence[ScanQuestion]], Awaitable[list[bool]]]


class AnswerCounts:
    """Counts answers by code and how long they took.

    Args:
        tally: where they are counted.
    """

    def __init__(self, tally: MetricsRegistry) -> None:
        self._answers = tally.counter(ANSWERS)
        self._seconds = tally.histogram(ANSWER_SECONDS)

    async def of(self, answering: Awaitable[bytes]) -> bytes:
        """The answer, once it is there."""
        began_at = time.perf_counter()
        code = "internal_error"
        try:
            answer = await answering
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


class CountedDesk(ScanDesk):
    """The desk, whose answers are counted.

    Args:
        counts: where they are counted; the others are the desk's.
    """

    def __init__(
        self,
        counts: AnswerCounts,
        *,
        callers: Callers,
        gates: ConfirmedCache[Gate],
        exchange: ScanExchange,
        replies: Replies,
        rate: RateLimit,
        deadline_s: float,
        sightings: DeviceSightings,
    ) -> None:
        super().__init__(
            callers=callers,
            gates=gates,
            exchange=exchange,
            replies=replies,
            rate=rate,
            deadline_s=deadline_s,
            sightings=sightings,
        )
        self._counts = counts

    async def scan(
        self, authorization: str | None, client: FindClient, body: bytes, arrived_at: datetime, until: float
    ) -> bytes:
        """The answer of the desk."""
        return await self._counts.of(super().scan(authorization, client, body, arrived_at, until))

    async def scan_by_staff(self, staff_id: UUID, body: bytes, arrived_at: datetime, until: float) -> bytes:
        """The answer of the desk."""
        return await self._counts.of(super().scan_by_staff(staff_id, body, arrived_at, until))


def counted_calls(send: Send, tally: MetricsRegistry) -> Send:
    """The same call to Qr, whose size is counted."""
    sizes = tally.histogram(HANDLE_CALL_SCANS)

    async def call(questions: Sequence[ScanQuestion]) -> list[bool]:
        sizes.observe(len(questions))
        return await send(questions)

    return call
