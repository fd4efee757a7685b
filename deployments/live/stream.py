"""One stream: holds at most the newest snapshot that its client has not read."""

import asyncio
from enum import StrEnum
from typing import Any

from deployments.live.server_sent_events import BEAT, End, end_frame


class View(StrEnum):
    """What a stream shows: staff see names and the service level."""

    MEMBER = "member"
    STAFF = "staff"


class Stream:
    """Holds one snapshot; a newer one replaces it. For one event loop.

    Args:
        view: of the client.
        now: time of the event loop.
    """

    __slots__ = ("_ended", "_newest", "_sender", "_taker", "given_at", "taking_since", "view")

    def __init__(self, view: View, now: float) -> None:
        self.view = view
        self.given_at = now  # when it was last given anything
        self.taking_since: float | None = None  # since when its client is being sent what it took
        self._newest: bytes | None = None
        self._ended: bytes | None = None
        self._taker: asyncio.Future[None] | None = None
        self._sender: asyncio.Task[Any] | None = None

    def sent_by(self, sender: asyncio.Task[Any] | None) -> None:
        """Set the sending task, so that the stream can be dropped."""
        self._sender = sender

    def drop(self) -> None:
        """Close without an event, because the client does not read."""
        if self._sender is not None:
            self._sender.cancel()

    def offer(self, frame: bytes, now: float) -> None:
        """Give it a snapshot."""
        self._newest = frame
        self.given_at = now
        self._wake()

    def beat(self, now: float) -> None:
        """Give it a heartbeat, unless it has something to send."""
        if self._newest is None:
            self.offer(BEAT, now)

    def end(self, reason: End) -> None:
        """Send the reason and close; only the first reason counts."""
        if self._ended is None:
            self._ended = end_frame(reason)
            self._newest = None
            self._wake()

    def abandon(self) -> None:
        """Close without an event, because the client has disconnected."""
        self._ended, self._newest = b"", None
        self._wake()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, even if the last event was not read yet."""
        return self._ended is not None

    async def take(self) -> tuple[bytes, bool]:
        """Wait for the next data; returns it, and whether more may follow."""
        while self._newest is None and self._ended is None:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        if self._ended is not None:
            return self._ended, False
        frame, self._newest = self._newest, None
        assert frame is not None  # noqa: S101 - waited for above
        return frame, True

    def _wake(self) -> None:
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(None)
