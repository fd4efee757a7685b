"""Concurrent scans share handle calls, which cost more than everything else on their way here."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from deployments.http.background_tasks import is_being_cancelled
from deployments.http.problems import later
from deployments.qr.questions import ScanQuestion
from integrations.kafka.messages import DoorReply

Send = Callable[[Sequence[ScanQuestion]], Awaitable[Sequence[bool]]]
Waiter = asyncio.Future[DoorReply]

_ROOM_IN_BATCHES = 16
_log = structlog.get_logger(__name__)


class ScanBatching:
    """Natural batching: a scan leaves at once while few calls are under way, otherwise with those gathered meanwhile.

    A waiter hears from here only that its scan did not get on its way; its answer comes by Kafka.

    Args:
        send: one call; for each question whether it is on its way to the door.
        calls_in_flight: how many calls may be under way at once.
        batch_max: how many scans one call takes.
        call_timeout_s: a call that takes longer is given up, so that a stuck one cannot hold up all.
    """

    def __init__(self, send: Send, *, calls_in_flight: int, batch_max: int, call_timeout_s: float) -> None:
        self._send = send
        self._calls_in_flight = calls_in_flight
        self._batch_max = batch_max
        self._call_timeout_s = call_timeout_s
        self._room = batch_max * _ROOM_IN_BATCHES
        self._waiting: deque[tuple[ScanQuestion, Waiter]] = deque()
        self._under_way = 0
        self._calls: set[asyncio.Task[None]] = set()

    def put(self, question: ScanQuestion, waiter: Waiter) -> None:
        """Send a scan on its way.

        Raises:
            ApiProblem: `busy` when too many scans wait for a call.
        """
        if len(self._waiting) >= self._room:
            raise later("busy", "Too many scans are waiting. Repeat this one with the same scan_id.")
        self._waiting.append((question, waiter))
        if self._under_way < self._calls_in_flight:
            self._under_way += 1
            # A context of its own: Serve would end the call together with the request that began it.
            call = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _work(self) -> None:
        try:
            while batch := self._gathered():
                await self._call(batch)
        finally:
            # Here, not when the task is seen to be done: a scan put in between would find no call to join.
            self._under_way -= 1

    def _gathered(self) -> list[tuple[ScanQuestion, Waiter]]:
        batch: list[tuple[ScanQuestion, Waiter]] = []
        while self._waiting and len(batch) < self._batch_max:
            question, waiter = self._waiting.popleft()
            if not waiter.done():  # given up at the deadline: it would only be refused
                batch.append((question, waiter))
        return batch

    async def _call(self, batch: list[tuple[ScanQuestion, Waiter]]) -> None:
        try:
            async with asyncio.timeout(self._call_timeout_s):
                produced = await self._send([question for question, _ in batch])
            refused = [waiter for (_, waiter), taken in zip(batch, produced, strict=True) if not taken]
        except BaseException as error:
            # Whatever it was, a cancelled call too: nobody may be left waiting for the deadline.
            _log.warning("scans_not_handed_on", scans=len(batch), error=type(error).__name__)
            _give_up(waiter for _, waiter in batch)
            if not isinstance(error, Exception) and is_being_cancelled():
                raise
        else:
            _give_up(refused)


def _give_up(waiters: Iterable[Waiter]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(
                later("unavailable", "The scan could not be handed on. Repeat it with the same scan_id, or annul it.")
            )
