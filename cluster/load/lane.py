"""The connections of the load generator."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Protocol, cast

from cluster.load.job import Answer
from cluster.load.responses import Response, ResponseError, Responses

_SLACK_S = 0.001  # the event loop's timers count milliseconds, and may be half of one early


class Conductor(Protocol):
    """Who runs the lanes. `began` and `until` are readings of `time.perf_counter`."""

    began: float
    until: float

    def end(self, now: float) -> None:
        """Hear that a lane has nothing left to ask."""

    def connect_again(self, lane: "Lane") -> None:
        """Hear that a lane lost its connection."""


class Lane(asyncio.Protocol):
    """One connection: the next request leaves when the last one was answered.

    Args:
        requests: in their order.
        run: when to stop.
        timeout_s: an answer that takes longer is an error.
    """

    def __init__(self, requests: Iterable[bytes], run: Conductor, timeout_s: float) -> None:
        self._requests = iter(requests)
        self._run = run
        self._timeout_s = timeout_s
        self._reader = Responses()
        self._transport: asyncio.Transport | None = None
        self._sent: float | None = None
        self._late = 0.0
        self.answers: list[Answer] = []

    @property
    def is_waiting(self) -> bool:
        """Whether a request is under way."""
        return self._sent is not None

    @property
    def has_more(self) -> bool:
        """Whether something is left that must be asked."""
        return False

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
        self._note(now, response)
        if response.closes:
            self._let_go()
        else:
            self.send_next(now)

    def connection_lost(self, error: Exception | None) -> None:
        """Connect again; a request that was under way has no answer."""
        if self._sent is not None:
            self._note_failure(f"connection lost: {error or 'closed'}")
        self._transport = None
        self._run.connect_again(self)

    def look(self, now: float) -> None:
        """Give up an answer that does not come."""
        if self._sent is not None and now - self._sent > self._timeout_s:
            self._fail("no answer in time")

    def close(self) -> None:
        """Let go of the connection."""
        self._let_go()

    def _note(self, now: float, response: Response) -> None:
        if self._sent is not None:
            at, took = self._sent - self._run.began, now - self._sent
            self.answers.append(Answer(at, took, response.status, response.body, self._late, response.retry_after))
            self._sent = None

    def _note_failure(self, why: str) -> None:
        self._note(time.perf_counter(), Response(0, why.encode(), closes=True))

    def _fail(self, why: str) -> None:
        self._note_failure(why)
        self._let_go()

    def _let_go(self) -> None:
        if self._transport is not None:
            self._transport.abort()  # `connection_lost` follows


class RepeatingLane(Lane):
    """Asks the same again and again."""

    def __init__(self, requests: Iterable[bytes], run: Conductor, timeout_s: float) -> None:
        super().__init__(cycle(requests), run, timeout_s)


class ScheduledLane(Lane):
    """Sends each request when it is due; at once, and late, where the last answer came after that.

    Args:
        due: when, for each request, in seconds after the beginning; in ascending order.
    """

    def __init__(self, requests: Sequence[bytes], run: Conductor, timeout_s: float, due: Sequence[float]) -> None:
        super().__init__((), run, timeout_s)
        self._left = deque(zip(requests, due, strict=True))
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def has_more(self) -> bool:
        """Whether something is left that must be asked."""
        return bool(self._left) and time.perf_counter() < self._run.until

    def send_next(self, now: float) -> None:
        """Send what is due, or wait until it is."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if not self._left or self._transport is None or self.is_waiting or now >= self._run.until:
            return
        request, due = self._left[0]
        due += self._run.began
        if due - now > _SLACK_S:
            wake = asyncio.get_running_loop().call_later
            self._alarm = wake(due - now, lambda: self.send_next(time.perf_counter()))
            return
        self._left.popleft()
        self._late = max(0.0, now - due)
        self._sent = now
        self._transport.write(request)
