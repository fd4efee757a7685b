"""The load generator, a process of its own: `python -m cluster.load.generator`, a job on stdin, answers on stdout.

Neither wrk nor oha can send a scan only after the same member's last one was answered, nor hold each answer against
what it must be. So this sends prepared bytes and keeps the answers as they came; they are checked afterwards.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

import msgspec
import uvloop

from cluster.load.job import BEGAN, ENDED, Driven, Job
from cluster.load.lane import Lane, RepeatingLane, ScheduledLane

_LOOK_EVERY_S = 0.25
_CONNECT_AGAIN_S = 0.1
_CATCHING_UP_S = 20.0  # how long after a schedule's end what was delayed is still sent


class Run:
    """One measurement."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.began = 0.0
        self.until = self._over_at = float("inf")
        self._ran_out = False
        self._over = False
        self._connecting: set[asyncio.Task[None]] = set()

    async def drive(self, told: BinaryIO) -> Driven:
        """Connect all lanes, let them ask, and wait for the last answers.

        Raises:
            OSError: nobody is there.
        """
        lanes = self._lanes()
        for lane in lanes:
            await self._connect(lane)
        _tell(told, BEGAN)
        wall, cpu = time.time(), time.process_time()
        self.began = time.perf_counter()
        self._over_at = self.began + self._job.seconds
        self.until = self._over_at + (_CATCHING_UP_S if self._job.due is not None else 0.0)
        for lane in lanes:
            lane.send_next(time.perf_counter())
        while (now := time.perf_counter()) < self._over_at:
            if self._job.due is not None and not _any_is_busy(lanes):
                self._over_at = now
                break
            await asyncio.sleep(min(_LOOK_EVERY_S, max(0.0, self._over_at - now)))
            for lane in lanes:
                lane.look(time.perf_counter())
        cpu_s = time.process_time() - cpu
        _tell(told, ENDED)
        while _any_is_busy(lanes):
            await asyncio.sleep(0.01)
            for lane in lanes:
                lane.look(time.perf_counter())
        await self._close(lanes)
        return Driven(wall, self._over_at - self.began, cpu_s, [lane.answers for lane in lanes], self._ran_out)

    def _lanes(self) -> list[Lane]:
        job = self._job
        if job.due is not None:
            scheduled = zip(job.lanes, job.due, strict=True)
            return [ScheduledLane(requests, self, job.timeout_s, due) for requests, due in scheduled]
        kind = RepeatingLane if job.repeats else Lane
        return [kind(requests, self, job.timeout_s) for requests in job.lanes]

    def end(self, now: float) -> None:
        """A lane has nothing left to ask: with fewer lanes the rest would be another measurement."""
        self._ran_out = True
        self.until = self._over_at = min(self.until, now)

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
        await asyncio.get_running_loop().create_connection(lambda: lane, self._job.host, self._job.port)


def _any_is_busy(lanes: Sequence[Lane]) -> bool:
    return any(lane.is_waiting or lane.has_more for lane in lanes)


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
