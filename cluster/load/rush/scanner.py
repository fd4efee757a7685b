"""The devices at the gates: each sends a scan until it is answered, then the answer is logged and checked."""

import asyncio
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from cluster.load.http_client import Client, NoResponseError, Response
from cluster.load.oracle import Expected, read_answer
from cluster.load.passes import Pass
from cluster.load.rush.log import RecordedScan, RushLog
from cluster.load.rush.simulated_clock import SimulatedClock
from cluster.load.scans import Scan, ScanWriter
from cluster.load.world import Gate
from domain.door.model import Direction, Reason, ScanAnswer
from domain.ids import new_id

RESPONSE_WITHIN_S = 4.0  # past the door's own deadline of 1.8 s: what comes later was lost on the way
PATIENCE_S = 30.0
_PAUSE_S = 0.3
_PAUSE_WHEN_ASKED_S = 1.0  # where the stack says when to retry
_LOST_FOR_S = (0.2, 1.0)  # from a lost answer to its repeat
_TRIES = 5  # while the answer is `too_late`
_OK = 200
_RETRY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class PassPresentation:
    """A phone shown at a gate.

    Args:
        due: the real second at which it is to happen.
        is_lost: whether the device does not receive the answer and sends the scan again.
        is_held_up: whether the phone has admitted its owner here a moment ago.
    """

    gate: Gate
    direction: Direction
    shown: Pass
    expected: Expected
    due: float
    is_lost: bool = False
    is_held_up: bool = False


class _Reply(NamedTuple):
    """An answer, how often the scan was repeated for it, and when it was sent first by the event loop's clock."""

    answer: ScanAnswer
    repeats: int
    sent: float


@dataclass(frozen=True, slots=True)
class Scanner:
    """All devices at all gates. A scan that is not answered stops the rush: the stack is unavailable.

    Args:
        client: of the stack.
        writer: writes scans.
        patience_s: for how long a scan without an answer is sent again.
    """

    client: Client
    writer: ScanWriter
    log: RushLog
    clock: SimulatedClock
    patience_s: float = PATIENCE_S

    async def scan(self, presentation: PassPresentation, random: Random) -> ScanAnswer | None:
        """Scan, again with a new id while the answer is `too_late`; None: no decision is known."""
        due = presentation.due
        for _ in range(_TRIES):
            device = random.choice(presentation.gate.devices)
            scan = Scan(
                str(new_id()),
                presentation.gate,
                device,
                presentation.direction,
                presentation.shown,
                presentation.expected,
            )
            reply = await self._send(scan)
            if reply is None:
                return None
            self._record(scan, reply, presentation, due)
            if reply.answer.reason is Reason.TOO_LATE:
                due = self.clock.seconds
                continue
            if found := scan.faults(reply.answer, self.clock.now(), repeated=reply.repeats > 0):
                self.log.answers.add_fault(f"{scan.direction} at {scan.gate.name}: {', '.join(found)}")
            if presentation.is_lost:
                await asyncio.sleep(random.uniform(*_LOST_FOR_S))
                again = await self._send(scan)
                if again is not None:
                    self.log.recover(reply.answer, again.answer)
            return reply.answer
        return None

    def _record(self, scan: Scan, reply: _Reply, presentation: PassPresentation, due: float) -> None:
        now = self.clock.seconds
        record = RecordedScan(
            stage=self.log.stage,
            gym_id=scan.gate.gym_id,
            minute=self.clock.minute,
            second=now,
            took_s=now - due,
            late_s=max(0.0, self.clock.second_of(reply.sent) - due),
            repeats=reply.repeats,
            answer=reply.answer,
            is_held_up=presentation.is_held_up,
        )
        self.log.record(scan, record)

    async def _send(self, scan: Scan) -> _Reply | None:
        """The answer to a scan; None: the stack rejected it, or does not answer."""
        self.log.waiting += 1
        try:
            return await self._sent(scan)
        finally:
            self.log.waiting -= 1

    async def _sent(self, scan: Scan) -> _Reply | None:
        content = self.writer.request(scan)
        loop_time = asyncio.get_running_loop().time
        repeats, first = 0, loop_time()
        until = first + self.patience_s
        while True:
            try:
                response, sent, _ = await self.client.exchange(content)
            except NoResponseError:  # it may have been decided all the same: only the same scan id shows
                pause = _PAUSE_S
            else:
                first = first if repeats else sent
                if response.status not in _RETRY:
                    answer = self._answer(response)
                    return None if answer is None else _Reply(answer, repeats, first)
                pause = _PAUSE_WHEN_ASKED_S if response.retry_after else _PAUSE_S
            if loop_time() + pause > until:
                self.log.answers.unanswered += 1
                self.clock.stop()
                return None
            await asyncio.sleep(pause)
            repeats += 1

    def _answer(self, response: Response) -> ScanAnswer | None:
        if response.status == _OK:
            answer = read_answer(response.body)
            if isinstance(answer, ScanAnswer):
                return answer
        self.log.rejected += 1
        self.log.answers.add_rejection(response.status, response.body)
        return None
