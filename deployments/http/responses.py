"""Sends the response of a request with the standard headers, and logs it."""

from time import perf_counter

import structlog
from starlette.types import Message, Send

from deployments.http.body_reading import BodyReceiver
from deployments.http.headers import RawHeaders, RequestHeaders, completed
from deployments.http.problems import MEDIA_TYPE, ApiProblem, body_of

_FIRST_PROBLEM, _FIRST_FAULT = 400, 500
_log = structlog.get_logger(__name__)


class ResponseSender:
    """ASGI's `send` for one request.

    Args:
        send: the server's own.
        incoming: the request.
        arriving: its body. If it was not read to the end, the connection is closed after the response.
        usual: headers of every response.
        names_request: whether the response contains the request id.
    """

    __slots__ = ("_arriving", "_began", "_incoming", "_lingers", "_names_request", "_send", "_usual", "code", "status")

    def __init__(
        self, send: Send, incoming: RequestHeaders, arriving: BodyReceiver, usual: RawHeaders, *, names_request: bool
    ) -> None:
        self._send = send
        self._incoming = incoming
        self._arriving = arriving
        self._lingers = False
        self._usual = usual
        self._names_request = names_request
        self._began = perf_counter()
        self.code: str | None = None  # of the problem that was answered
        self.status = 0

    @property
    def is_problem(self) -> bool:
        """Whether the response is an error."""
        return self.status >= _FIRST_PROBLEM

    async def __call__(self, message: Message) -> None:
        """Send a message of the application, with the standard headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*completed(message["headers"], self._usual), *self._own_headers()]
            await self._close_early(message)
        elif self._lingers and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._arriving.drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def json(self, body: bytes) -> None:
        """Respond with JSON."""
        await self._whole(200, b"application/json", body, [])

    async def problem(self, problem: ApiProblem) -> None:
        """Respond with a problem."""
        self.code = problem.code
        headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        await self._whole(problem.status, MEDIA_TYPE.encode(), body_of(problem, self._incoming.request_id), headers)

    def log(self, method: str, path: str) -> None:
        """Log the response; as a warning, which is flushed at once, if it is a server error."""
        took_ms = round((perf_counter() - self._began) * 1000, 1)
        say = _log.warning if self.status >= _FIRST_FAULT else _log.info
        say("request", method=method, path=path, status=self.status, code=self.code, took_ms=took_ms)

    async def _whole(self, status: int, media_type: bytes, body: bytes, headers: RawHeaders) -> None:
        self.status = status
        own = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            *headers,
            *self._usual,
            *self._own_headers(),
        ]
        start = {"type": "http.response.start", "status": status, "headers": own}
        await self._close_early(start)
        await self._send(start)
        await self({"type": "http.response.body", "body": body})

    async def _close_early(self, start: Message) -> None:
        """Close the connection after a response to a request whose body was not read to the end.

        The rest of the body must not be taken for another request. The body is drained before the response. A client
        that waits for `100 Continue` gets the response instead (RFC 9110 section 10.1.1) and is drained afterwards,
        because some do not wait long.
        """
        if self._arriving.is_over:
            return
        self._lingers = self._arriving.is_held_back
        if not self._lingers:
            await self._arriving.drain()
        if not self._arriving.is_over and not any(name == b"connection" for name, _ in start["headers"]):
            start["headers"] = [*start["headers"], (b"connection", b"close")]

    def _own_headers(self) -> RawHeaders:
        return [(b"x-request-id", self._incoming.request_id.encode())] if self._names_request else []
