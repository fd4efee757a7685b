"""Many who watch a gym at once, each over a connection of its own, read no further than is needed."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from typing import cast
from uuid import UUID

_SHOWN = re.compile(rb'data: \{"gym_id":"[^"]+","occupancy":(\d+),')
_TAIL = 128  # an event may arrive in two parts


class Watcher(asyncio.Protocol):
    """One stream, opened again whenever it is lost.

    Args:
        port: of a stack.
        gym: which is watched.
        authorization: the header.
        shown: called with each occupancy as it arrives, and the time.
    """

    def __init__(
        self, port: int, gym: UUID, authorization: str, shown: Callable[[int, float], None] = lambda *_: None
    ) -> None:
        self._port = port
        self._shown = shown
        self._request = (
            f"GET /api/live/gyms/{gym} HTTP/1.1\r\nHost: gym.test\r\nAuthorization: {authorization}\r\n\r\n"
        ).encode()
        self._tail = b""
        self._lost = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self.occupancy: int | None = None  # as it was shown last; nothing while there is no stream
        self.opened = 0  # how often

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                await self._once()
                await asyncio.sleep(0.5)
        finally:
            if self._transport is not None:
                self._transport.abort()

    async def _once(self) -> None:
        self._lost.clear()
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError:
            return
        await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._tail = b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        at = time.time()
        data = self._tail + data
        end = 0
        for found in _SHOWN.finditer(data):
            if self.occupancy is None:
                self.opened += 1
            self.occupancy, end = int(found[1]), found.end()
            self._shown(self.occupancy, at)
        self._tail = data[max(end, len(data) - _TAIL) :]
        if b"event: end" in data or (self.occupancy is None and b"\r\nretry-after" in data.lower()):
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.occupancy = None
        self._lost.set()


async def all_see(watchers: Sequence[Watcher], occupancy: int | None = None, within_s: float = 120.0) -> float:
    """Wait until all have a stream that shows something, or just this; returns how long that took in seconds."""
    began_at = time.monotonic()
    while not all(one.occupancy is not None and occupancy in {None, one.occupancy} for one in watchers):
        assert time.monotonic() - began_at < within_s, [one.occupancy for one in watchers]
        await asyncio.sleep(0.05)
    return time.monotonic() - began_at
