"""A request's body: small, JSON (or a page's form), and here within reasonable time, or refused."""

import asyncio

from starlette.types import Message, Receive

from deployments.gateway.headers import Incoming
from deployments.gateway.problems import ApiProblem

_WITHIN_S = 10.0
# What is left of a body that is refused need not be read when the connection ends with the answer.
_CLOSE = {"Connection": "close"}


class ClientGoneError(Exception):
    """The client left before its request was complete; nobody is there to be answered."""


async def read_body(incoming: Incoming, receive: Receive, max_bytes: int, *, is_form: bool = False) -> bytes:
    """The whole body.

    Raises:
        ApiProblem: it is too large, by its name not JSON (or a form, where that is wanted), or does not arrive.
        ClientGoneError: see there.
    """
    if incoming.body_length > max_bytes:
        raise _too_large(max_bytes)
    if not incoming.has_body:
        return b""
    if is_form and not incoming.is_form:
        raise ApiProblem("unsupported_media_type", "Send the body as application/x-www-form-urlencoded.")
    if not is_form and not incoming.is_json:
        raise ApiProblem("unsupported_media_type", "Send the body as application/json.")
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await _read(receive, max_bytes)
    except TimeoutError:
        raise ApiProblem("body_too_slow", "The body did not arrive in time.", headers=_CLOSE) from None


async def _read(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        if not message.get("more_body", False):
            return bytes(body)


def _too_large(max_bytes: int) -> ApiProblem:
    return ApiProblem("body_too_large", f"A body has {max_bytes} bytes at most.", headers=_CLOSE)


class Replayed:
    """A body that was read already, as ASGI's `receive`; then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The next message."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}
