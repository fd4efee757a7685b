"""Reads request bodies with limits on size, type and time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.types import Message, Receive

from deployments.http.headers import RequestHeaders
from deployments.http.problems import ApiProblem

_WITHIN_S = 10.0
# What is left of a body that is refused ends with the connection.
_CLOSE = {"Connection": "close"}
_DRAINED_S = 2.0
_DRAINED_BYTES = 16 * 1024 * 1024


class ClientGoneError(Exception):
    """The client disconnected before its request was complete."""


class BodyReceiver:
    """The body of a request: ASGI's `receive`, which records how much was read.

    Args:
        receive: the server's own. Its first call sends `100 Continue` to a client that waits for it.
        has_body: whether the request has a body.
        is_awaited: whether the client waits for `100 Continue`.
    """

    __slots__ = ("_receive", "is_held_back", "is_over")

    def __init__(self, receive: Receive, *, has_body: bool, is_awaited: bool) -> None:
        self._receive = receive
        self.is_held_back = is_awaited
        self.is_over = not has_body

    async def __call__(self) -> Message:
        """The next message."""
        self.is_held_back = False
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.is_over = True
        return message

    async def drain(self) -> None:
        """Read and drop the rest of the body, within limits.

        Closing a connection with unread bytes resets it, and a client that is still sending may never read the response
        (RFC 9112 section 9.6).
        """
        taken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAINED_S):
                while not self.is_over and taken <= _DRAINED_BYTES:
                    taken += len((await self()).get("body", b""))


class BodyPieces:
    """A body as it arrives; iterable once.

    Raises:
        ClientGoneError: during iteration.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """All non-empty pieces."""
        while not self._is_whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            self._is_whole = not message.get("more_body", False)
            if message.get("body"):
                yield message["body"]


async def read_body(
    incoming: RequestHeaders, receive: Receive, max_bytes: int, *, is_form: bool = False, untyped: bool = False
) -> bytes:
    """Read the whole body.

    Args:
        incoming: the request's headers.
        receive: source of the body.
        max_bytes: maximum size.
        is_form: expect a form instead of JSON.
        untyped: accept JSON as `text/plain` or without a type too.

    Raises:
        ApiProblem: it is too large, has another media type, or does not arrive in time.
        ClientGoneError: the client disconnected.
    """
    if incoming.body_length > max_bytes:
        raise _too_large(max_bytes)
    if not incoming.has_body:
        return b""
    if is_form and not incoming.is_form:
        raise ApiProblem("unsupported_media_type", "Send the body as application/x-www-form-urlencoded.")
    if not is_form and not incoming.is_json and not (untyped and incoming.is_untyped):
        raise ApiProblem("unsupported_media_type", "Send the body as application/json.")
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await _read(BodyPieces(receive), max_bytes)
    except TimeoutError:
        raise ApiProblem("body_too_slow", "Request body timed out.", headers=_CLOSE) from None


async def _read(pieces: BodyPieces, max_bytes: int) -> bytes:
    body = bytearray()
    async for piece in pieces:
        body += piece
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _too_large(max_bytes: int) -> ApiProblem:
    return ApiProblem("body_too_large", f"Request body exceeds {max_bytes} bytes.", headers=_CLOSE)


class Replayed:
    """A body that was already read, as ASGI's `receive`; followed by further messages."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The next message."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
