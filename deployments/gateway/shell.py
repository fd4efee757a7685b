"""The ASGI application that Serve runs: the scan's lean way, and FastAPI's for everything else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.gateway.headers import ALWAYS, Incoming, RawHeaders, completed, read_headers
from deployments.gateway.problems import MEDIA_TYPE, ApiProblem, body_of
from deployments.gateway.scans import ScanDesk
from domain.clock import Clock

_BODY_WITHIN_S = 10.0
# A decision made just in time still has its way back before it; the door itself waits 2 s.
_WAY_BACK_S = 0.1
_TAKES_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_log = structlog.get_logger(__name__)

Step = Callable[[], Awaitable[None]]


class ClientGoneError(Exception):
    """The client left before its request was complete; nobody is there to be answered."""


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """What is accepted, and how long a scan may take."""

    max_body_bytes: int
    deadline_s: float


class Shell:
    """Everything that all calls share: request ids, the body's limits, headers, and an answer whatever happens.

    An object, because Serve takes a bare function for a builder.

    Args:
        scans: answers `POST /scans`, without FastAPI, whose own work would cost as much as the scan.
        rest: answers everything else.
        limits: see there.
        clock: the present.
        start, stop: called when serving begins and ends.
        names_request: whether answers carry the request id; Serve's server adds it by itself.
    """

    def __init__(
        self,
        scans: ScanDesk,
        rest: ASGIApp,
        limits: ShellLimits,
        clock: Clock,
        *,
        start: Step,
        stop: Step,
        names_request: bool = True,
    ) -> None:
        self._scans = scans
        self._rest = rest
        self._limits = limits
        self._clock = clock
        self._start = start
        self._stop = stop
        self._names_request = names_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived_at = self._clock()
        until = asyncio.get_running_loop().time() + self._limits.deadline_s + _WAY_BACK_S
        incoming = read_headers(scope["headers"])
        answered = False

        async def send_completed(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [*completed(message["headers"]), *self._own_headers(incoming)]
            await send(message)

        try:
            body = await self._body(incoming, receive) if scope["method"] in _TAKES_BODY else b""
            if scope["method"] == "POST" and _path(scope) == "/scans":
                answer = await self._scans.scan(incoming.authorization, body, arrived_at, until)
                await self._send(send, 200, b"application/json", answer, incoming, [])
            else:
                await self._rest(_as_get(scope, incoming), _Replayed(body, receive), send_completed)
        except ApiProblem as problem:
            await self._send_problem(send, problem, incoming)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - logged, and answered without details
            # FastAPI has answered, and raises all the same so that somebody logs it: here.
            _log.exception("request_failed", request_id=incoming.request_id, method=scope["method"])
            if not answered:
                await self._send_problem(send, internal_error(), incoming)

    async def _body(self, incoming: Incoming, receive: Receive) -> bytes:
        if incoming.body_length > self._limits.max_body_bytes:
            raise self._too_large()
        if not incoming.has_body:
            return b""
        if not incoming.is_json:
            raise ApiProblem("unsupported_media_type", "Send the body as application/json.")
        try:
            async with asyncio.timeout(_BODY_WITHIN_S):
                return await self._read(receive)
        except TimeoutError:
            raise ApiProblem("body_too_slow", "The body did not arrive in time.", headers=_CLOSE) from None

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body += message.get("body", b"")
            if len(body) > self._limits.max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> ApiProblem:
        # Closed, so that what is left of the body need not be read.
        return ApiProblem("body_too_large", f"A body has {self._limits.max_body_bytes} bytes at most.", headers=_CLOSE)

    async def _send_problem(self, send: Send, problem: ApiProblem, incoming: Incoming) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        body = body_of(problem, incoming.request_id)
        await self._send(send, problem.status, MEDIA_TYPE.encode(), body, incoming, headers)

    async def _send(
        self, send: Send, status: int, media_type: bytes, body: bytes, incoming: Incoming, headers: RawHeaders
    ) -> None:
        all_headers = [
            (b"content-type", media_type),
            (b"content-length", str(len(body)).encode()),
            *headers,
            *ALWAYS,
            *self._own_headers(incoming),
        ]
        await send({"type": "http.response.start", "status": status, "headers": all_headers})
        await send({"type": "http.response.body", "body": body})

    def _own_headers(self, incoming: Incoming) -> RawHeaders:
        return [(b"x-request-id", incoming.request_id.encode())] if self._names_request else []

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})


_CLOSE = {"Connection": "close"}


class _Replayed:
    """A body that was read already, as ASGI's `receive`; then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


def internal_error() -> ApiProblem:
    """Something failed that nobody foresaw; what it was is in the log, under the request id."""
    return ApiProblem("internal_error", "Something went wrong here. The request id names it in our log.")


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _as_get(scope: Scope, incoming: Incoming) -> Scope:
    scope.setdefault("state", {})["request_id"] = incoming.request_id
    # HEAD is GET without its body (RFC 9110 section 9.3.2), which the server leaves out.
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
