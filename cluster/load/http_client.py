"""Connections from the gates to the stack: HTTP as bytes, so that the crowd costs little of the processors.

A client library spends more on one question than the door does; on a machine that both share, it would be measured.
"""

import asyncio
from typing import Protocol, cast

from cluster.load.requests import SCANS_PATH
from cluster.load.responses import Response, ResponseError, Responses


class NoResponseError(Exception):
    """Nothing that can be read came back: what was sent may have been decided all the same."""


class Wire(Protocol):
    """Takes questions to the stack."""

    async def post(self, body: bytes, credential: str) -> tuple[Response, float]:
        """Put a scan.

        Args:
            body: JSON.
            credential: of the device.

        Returns:
            What came back, and when the question left, by the event loop's clock.

        Raises:
            NoResponseError: nothing did.
        """


class StackWire:
    """Connections to one stack, as many as there are questions under way; each is used again.

    Args:
        host, port: where it listens.
        timeout_s: how long an answer is waited for.
    """

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._idle: list[_Connection] = []
        self._all: set[_Connection] = set()

    async def post(self, body: bytes, credential: str) -> tuple[Response, float]:
        """See `Wire`."""
        head = (
            f"POST {SCANS_PATH} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAuthorization: Device {credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._free_one()
                sent = asyncio.get_running_loop().time()
                return await self._answered(connection, head.encode() + body), sent
        except (OSError, TimeoutError, ResponseError) as error:
            raise NoResponseError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """Let go of every connection."""
        for connection in self._all:
            connection.close()

    async def _answered(self, connection: "_Connection", request: bytes) -> Response:
        try:
            response = await connection.ask(request)
        except BaseException:
            self._drop(connection)  # an answer that comes now belongs to nobody
            raise
        if response.closes:
            self._drop(connection)
        else:
            self._idle.append(connection)
        return response

    def _drop(self, connection: "_Connection") -> None:
        self._all.discard(connection)
        connection.close()

    async def _free_one(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            self._all.discard(connection)
        _, made = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        self._all.add(made)
        return made


class _Connection(asyncio.Protocol):
    """One connection, with at most one question under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._responses = Responses()
        self._asked: asyncio.Future[Response] | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can be asked."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Response:
        """Put a question and wait for what comes back."""
        if self._transport is None:
            raise ConnectionError("closed")
        self._asked = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._asked

    def close(self) -> None:
        """Let go of it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one."""
        try:
            response = self._responses.feed(data)
        except ResponseError as error:
            self._fail(error)
            return
        if response is not None and self._asked is not None and not self._asked.done():
            self._asked.set_result(response)

    def connection_lost(self, error: Exception | None) -> None:
        """A question that was under way has no answer."""
        self._transport = None
        self._fail(error or ConnectionError("closed by the stack"))

    def _fail(self, error: Exception) -> None:
        if self._asked is not None and not self._asked.done():
            self._asked.set_exception(error)
