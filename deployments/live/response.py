"""The HTTP response of a stream."""

import asyncio
import contextlib
from collections.abc import Callable
from secrets import randbelow

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deployments.live.server_sent_events import BEAT, retry_hint
from deployments.live.stream import Stream

_SOONEST_MS, _LATEST_MS = 500, 2500  # those who lose their replica together shall not all come back together


class StreamResponse(Response):
    """Sends a stream until it ends or its client disconnects.

    Args:
        stream: the stream.
        leave: called once at the end.
        sent: called for each event, except heartbeats.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, leave: Callable[[], None], sent: Callable[[], None]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream = stream
        self._leave = leave
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send the response; returns when the stream is over."""
        sender = asyncio.current_task()
        assert sender is not None  # noqa: S101 - ASGI runs in a task
        self._stream.sent_by(sender)
        watching = asyncio.create_task(_watch(receive, self._stream))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_all(send)
        finally:
            self._stream.sent_by(None)
            self._leave()
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _send_all(self, send: Send) -> None:
        stream, loop = self._stream, asyncio.get_running_loop()
        before = retry_hint(_SOONEST_MS + randbelow(_LATEST_MS - _SOONEST_MS))
        more = True
        while more:
            frame, more = await stream.take()
            stream.taking_since = loop.time()
            await send({"type": "http.response.body", "body": before + frame, "more_body": more})
            stream.taking_since = None
            before = b""
            if frame and frame is not BEAT:
                self._sent()


async def _watch(receive: Receive, stream: Stream) -> None:
    """Detect a disconnect where the server does not cancel the response."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.abandon()
