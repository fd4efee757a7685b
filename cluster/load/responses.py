"""Cuts what a server sends on a keep-alive connection into responses (RFC 9112), as little of it as this needs."""

import re
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after:", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2})[ \r]")
_END = b"\r\n\r\n"


class Response(NamedTuple):
    """One response.

    Args:
        closes: the server will hear no further question on this connection.
        retry_after: it says when to ask again.
    """

    status: int
    body: bytes
    closes: bool
    retry_after: bool = False


class ResponseError(Exception):
    """What was sent is no response that this reader knows."""


class Responses:
    """Reads one connection on which never more than one question is under way."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> Response | None:
        """Take what has arrived; the response once it is complete.

        Raises:
            ResponseError: it is none, has no Content-Length, or more than one was sent.
        """
        self._held += data
        end = self._held.find(_END)
        if end < 0:
            return None
        head = self._held[: end + 2]
        status, length = _STATUS.match(head), _LENGTH.search(head)
        if status is None or length is None:
            raise ResponseError(f"not a response with a length: {head[:80]!r}")
        begin = end + len(_END)
        whole = begin + int(length[1])
        if len(self._held) < whole:
            return None
        if len(self._held) > whole:
            raise ResponseError("an answer to a question that was not put")
        body, self._held = self._held[begin:], b""
        retry_after = _RETRY_AFTER.search(head) is not None
        return Response(int(status[1]), body, _CLOSES.search(head) is not None, retry_after)
