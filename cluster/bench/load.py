"""The load generator, a process of its own: `python -m cluster.bench.load`, a job on stdin, what it brought on stdout.

Neither wrk nor oha can send a scan only after the same member's last one was answered, nor hold each answer against
what it must be. So this sends prepared bytes and keeps the answers as they came; they are checked afterwards.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from typing import BinaryIO, cast

import msgspec
import uvloop

from cluster.bench.job import BEGAN, ENDED, Answer, Driven, Job
from cluster.bench.responses import ResponseError, Responses

_LOOK_EVERY_S = 0.25
_CONNECT_AGAIN_S = 0.1


class Lane(asyncio.Protocol):
    """One connection: the next request leaves when the last one was answered.

    Args:
        requests: in their order.
        run: when to stop.
    """

    def __init__(self, requests: Sequence[bytes], run: "Run") -> None:
        self._requests = cycle(requests) if run.job.repeats else iter(requests)
        self._run = run
        self._reader = Responses()
        self._transport: asyncio.Transport | None = None
        self._sent: float | None = None
        self.answers: list[Answer] = []

    @property
    def is_waiting(self) -> bool:
        """Whether a request is under way."""
        return self._sent is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; the run says when to begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._reader = Responses()

    def send_next(self, now: float) -> None:
        """Send the next request, unless the time is over."""
        if now >= self._run.until or self._transport is None:
            return
        request = next(self._requests, None)
        if request is None:
            self._run.end(now)
            return
        self._sent = now
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, and ask on."""
        try:
            response = self._reader.feed(data)
        except ResponseError as error:
            self._fail(str(error))
            return
        if response is None:
            return
        now = time.perf_counter()
        self._note(now, response.status, response.body)
        if response.closes:
            self._let_go()
        else:
            self.send_next(now)

    def connection_lost(self, error: Exception | None) -> None:
        """Connect again; a request that was under way has no answer."""
        if self._sent is not None:
            self._note(time.perf_counter(), 0, f"connection lost: {error or 'closed'}".encode())
        self._transport = None
        self._run.connect_again(self)

    def look(self, now: float) -> None:
        """Give up an answer that does not come."""
        if self._sent is not None and now - self._sent > self._run.job.timeout_s:
            self._fail("no answer in time")

    def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _note(self, now: float, status: int, body: bytes) -> None:
        if self._sent is not None:
            self.answers.append(Answer(self._sent - self._run.began, now - self._sent, status, body))
            self._sent = None

    def _fail(self, why: str) -> None:
        self._note(time.perf_counter(), 0, why.encode())
        self._let_go()

    def _let_go(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # `connection_lost` follows


class Run:
    """One measurement."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.began = 0.0
        self.until = float("inf")
        self._ran_out = False
        self._over = False
        self._connecting: set[asyncio.Task[None]] = set()

    async def drive(self, told: BinaryIO) -> Driven:
        """Connect all lanes, let them ask, and wait for the last answers.

        Raises:
            OSError: nobody is there.
        """
        lanes = [Lane(requests, self) for requests in self.job.lanes]
        for lane in lanes:
            await self._connect(lane)
        _tell(told, BEGAN)
        wall, cpu = time.time(), time.process_time()
        self.began = time.perf_counter()
        self.until = self.began + self.job.seconds
        for lane in lanes:
            lane.send_next(time.perf_counter())
        while (now := time.perf_counter()) < self.until:
            await asyncio.sleep(min(_LOOK_EVERY_S, max(0.0, self.until - now)))
            for lane in lanes:
                lane.look(time.perf_counter())
        cpu_s = time.process_time() - cpu
        _tell(told, ENDED)
        while any(lane.is_waiting for lane in lanes):
            await asyncio.sleep(0.01)
            for lane in lanes:
                lane.look(time.perf_counter())
        await self._close(lanes)
        return Driven(wall, self.until - self.began, cpu_s, [lane.answers for lane in lanes], self._ran_out)

    def end(self, now: float) -> None:
        """A lane has nothing left to ask: with fewer lanes the rest would be another measurement."""
        self._ran_out = True
        self.until = min(self.until, now)

    def connect_again(self, lane: Lane) -> None:
        """Give a lane a new connection in place of a lost one."""
        if self._over:
            return
        task = asyncio.get_running_loop().create_task(self._reconnect(lane))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _close(self, lanes: Sequence[Lane]) -> None:
        self._over = True
        for task in list(self._connecting):
            task.cancel()
        for lane in lanes:
            lane.close()
        await asyncio.sleep(0.05)  # uvloop tells that a connection is gone, and frees it, some turns later

    async def _reconnect(self, lane: Lane) -> None:
        while time.perf_counter() < self.until:
            try:
                await self._connect(lane)
            except OSError:
                await asyncio.sleep(_CONNECT_AGAIN_S)
            else:
                lane.send_next(time.perf_counter())
                return

    async def _connect(self, lane: Lane) -> None:
        await asyncio.get_running_loop().create_connection(lambda: lane, self.job.host, self.job.port)


def _tell(told: BinaryIO, what: bytes) -> None:
    told.write(what)
    told.flush()


def main() -> int:
    """Do one job."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    gc.disable()  # a pause would be measured as the server's
    # Not sys.stdout: with PYTHONUNBUFFERED it may write a part of what it is given and leave the rest.
    with open(sys.stdout.fileno(), "wb", closefd=False) as told:
        try:
            driven = uvloop.run(Run(job).drive(told))
        except OSError as error:
            sys.stderr.write(f"the load generator cannot connect: {error}\n")
            return 1
        _tell(told, msgspec.msgpack.encode(driven))
    return 0


if __name__ == "__main__":
    sys.exit(main())
