"""The load generator, a process of its own: `python -m cluster.load.generator`, a job on stdin, answers on stdout.

It sends prepared bytes and keeps the answers as they came; they are checked afterwards. wrk and oha can neither send a
scan only after the same member's last one was answered, nor compare each answer with the right one.
"""

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from types import TracebackType
from typing import BinaryIO, Self

import msgspec
import uvloop

from cluster.errors import CommandError
from cluster.load.http_client import Connection, NoResponseError

BEGAN = b"began\n"
ENDED = b"ended\n"
_OK = 200
_CONNECT_AGAIN_S = 0.1
_CATCHING_UP_S = 20.0  # how long after a schedule's end delayed requests are still sent
_SLACK_S = 0.001  # the event loop's timers count milliseconds, and may be half of one early


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One measurement.

    Args:
        lanes: for each connection its requests, in order.
        repeats: start again with a lane's first request after its last; otherwise the measurement ends there.
        seconds: how long new requests are sent; with a schedule, how long it lasts.
        timeout_s: an answer that takes longer is an error.
        due: for each lane, in seconds after the beginning, when each of its requests is to be sent (open loop).
            Where the lane still waits then, the request is sent late. None: each request follows the answer to the
            one before (closed loop).
        keeps_bodies: whether the body of an answer with 200 is kept.
    """

    host: str
    port: int
    lanes: list[list[bytes]]
    repeats: bool
    seconds: float
    timeout_s: float = 5.0
    due: list[list[float]] | None = None
    keeps_bodies: bool = True


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """The answer to one request.

    Args:
        sent: in seconds after the beginning.
        took: seconds from there to the answer.
        status: 0 when there was no answer; then `body` says why.
        late: seconds between when it was due and when it was sent; 0 without a schedule.
        retry_after: whether the answer says when to try again.
    """

    sent: float
    took: float
    status: int
    body: bytes
    late: float = 0.0
    retry_after: bool = False

    @property
    def latency(self) -> float:
        """Seconds from when it was due: a request that had to wait for its turn has waited (coordinated omission)."""
        return self.late + self.took


class JobResult(msgspec.Struct, frozen=True, array_like=True):
    """The result of a job.

    Args:
        began: when, in seconds since 1970.
        seconds: how long requests were sent; shorter than asked for where prepared requests ran out.
        cpu_s: CPU time of the generator meanwhile.
        lanes: for each connection the answers, in the order of its requests.
        ran_out: whether it ended because a lane had no further request.
    """

    began: float
    seconds: float
    cpu_s: float
    lanes: list[list[Answer]]
    ran_out: bool


def steady(rate: float, requests: int, lanes: int) -> list[list[float]]:
    """A schedule of requests at even distances, dealt out to the lanes in turn.

    Args:
        rate: requests a second over all lanes.
        requests: how many in all.
        lanes: how many connections; the request at place n belongs to lane n % lanes.

    Returns:
        For each lane the seconds after the beginning, ascending.
    """
    return [[place / rate for place in range(lane, requests, lanes)] for lane in range(lanes)]


def at_once(lanes: Sequence[Sequence[object]]) -> list[list[float]]:
    """A schedule in which every request is due from the beginning: each lane sends one after the other."""
    return [[0.0] * len(lane) for lane in lanes]


class Run:
    """One job under way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._began = 0.0
        self._until = float("inf")
        self._ran_out = False

    async def drive(self, out: BinaryIO) -> JobResult:
        """Open all connections, send the requests, and wait for the last answers.

        Args:
            out: receives a line at the beginning and one at the end.

        Raises:
            OSError: nobody listens.
        """
        job = self._job
        connections = [await self._connect() for _ in job.lanes]
        answers: list[list[Answer]] = [[] for _ in job.lanes]
        _write(out, BEGAN)
        wall, cpu = time.time(), time.process_time()
        self._began = time.monotonic()
        self._until = self._began + job.seconds + (_CATCHING_UP_S if job.due is not None else 0.0)
        lanes = [
            asyncio.create_task(self._drive_lane(place, connection, answers[place].append))
            for place, connection in enumerate(connections)
        ]
        # A closed loop is over with its first lane that has no request left: fewer lanes are another measurement.
        first = asyncio.ALL_COMPLETED if job.due is not None else asyncio.FIRST_COMPLETED
        await asyncio.wait(lanes, timeout=job.seconds, return_when=first)
        elapsed = time.monotonic() - self._began
        seconds = elapsed if elapsed < job.seconds - _SLACK_S else job.seconds
        cpu_s = time.process_time() - cpu
        _write(out, ENDED)
        await asyncio.gather(*lanes)
        await asyncio.sleep(0.05)  # uvloop frees a closed connection some turns later
        return JobResult(wall, seconds, cpu_s, answers, self._ran_out)

    async def _drive_lane(self, place: int, connection: Connection, keep: Callable[[Answer], None]) -> None:
        requests: Iterable[bytes] = self._job.lanes[place]
        if self._job.repeats:
            requests = cycle(requests)
        schedule = iter(self._job.due[place]) if self._job.due is not None else None
        try:
            for request in requests:
                due = self._began + next(schedule) if schedule is not None else None
                late = await self._wait_until(due) if due is not None else 0.0
                while not connection.is_open and time.monotonic() < self._until:
                    connection = await self._reconnect(connection)
                    late = max(0.0, time.monotonic() - due) if due is not None else 0.0
                if time.monotonic() >= self._until:
                    return
                keep(await self._answer(connection, request, late))
            if schedule is None and time.monotonic() < self._until:
                self._ran_out = True
                self._until = time.monotonic()
        finally:
            connection.close()

    async def _wait_until(self, due: float) -> float:
        """Wait for a moment; by how many seconds it has passed."""
        left = due - time.monotonic()
        if left > _SLACK_S:
            await asyncio.sleep(left)
        return max(0.0, time.monotonic() - due)

    async def _answer(self, connection: Connection, request: bytes, late: float) -> Answer:
        sent = time.monotonic()
        try:
            response, sent, answered = await connection.exchange(request)
        except NoResponseError as error:
            return Answer(sent - self._began, time.monotonic() - sent, 0, str(error).encode(), late)
        body = response.body if self._job.keeps_bodies or response.status != _OK else b""
        return Answer(sent - self._began, answered - sent, response.status, body, late, response.retry_after)

    async def _reconnect(self, lost: Connection) -> Connection:
        try:
            return await self._connect()
        except OSError:
            await asyncio.sleep(_CONNECT_AGAIN_S)
            return lost

    async def _connect(self) -> Connection:
        return await Connection.opened(self._job.host, self._job.port, self._job.timeout_s)


class GeneratorProcess:
    """The load generator with a job, as seen by the process that started it.

    Raises:
        CommandError: from every method, when the generator failed, for example because nothing listens.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._child = subprocess.Popen(
            [sys.executable, "-m", "cluster.load.generator"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.__exit__(kind, error, trace)

    def begin(self) -> None:
        """Hand over the job; returns when the first request is sent."""
        assert self._child.stdin  # noqa: S101 - asked for above
        try:
            with self._child.stdin as stdin:
                stdin.write(msgspec.msgpack.encode(self._job))
        except BrokenPipeError as error:
            raise _failed() from error
        self._expect(BEGAN)

    def wait(self) -> None:
        """Returns when the last request is sent."""
        self._expect(ENDED)

    def result(self) -> JobResult:
        """All answers."""
        assert self._child.stdout  # noqa: S101 - asked for above
        content = self._child.stdout.read()
        if self._child.wait():
            raise _failed()
        return msgspec.msgpack.decode(content, type=JobResult)

    def _expect(self, line: bytes) -> None:
        assert self._child.stdout  # noqa: S101 - asked for above
        if self._child.stdout.readline() != line:
            raise _failed()


def _failed() -> CommandError:
    return CommandError("the load generator failed", "fitmonitor status shows whether the stack works")


def _write(out: BinaryIO, content: bytes) -> None:
    out.write(content)
    out.flush()


def main() -> int:
    """Do one job."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    gc.disable()  # a pause would be measured as the server's
    # Not sys.stdout: with PYTHONUNBUFFERED it may write a part of what it is given and leave the rest.
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        try:
            driven = uvloop.run(Run(job).drive(out))
        except OSError as error:
            sys.stderr.write(f"the load generator cannot connect: {error}\n")
            return 1
        _write(out, msgspec.msgpack.encode(driven))
    return 0


if __name__ == "__main__":
    sys.exit(main())
