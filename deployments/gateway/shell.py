"""The ASGI application that Serve runs: the scan's lean way, and FastAPI's for everything else."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.gateway.answering import Answering
from deployments.gateway.body import ClientGoneError, Replayed, read_body
from deployments.gateway.headers import Incoming, read_headers
from deployments.gateway.problems import ApiProblem, internal_error
from deployments.gateway.scans import ScanDesk
from domain.clock import Clock

# A decision made just in time still has its way back before it; the door itself waits 2 s.
_WAY_BACK_S = 0.1
_TAKES_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_log = structlog.get_logger(__name__)

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """What is accepted, how long a scan may take, and whether each one that is answered gets a line in the log."""

    max_body_bytes: int
    deadline_s: float
    logs_scans: bool = False


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
        answering = Answering(send, incoming, names_request=self._names_request)
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        # Never taken back: a server runs each request in a context of its own, and the next one here binds its own id.
        structlog.contextvars.bind_contextvars(request_id=incoming.request_id)
        is_scan = method == "POST" and path == "/scans"
        try:
            takes_body = method in _TAKES_BODY
            body = await read_body(incoming, receive, self._limits.max_body_bytes) if takes_body else b""
            if is_scan:
                await answering.json(await self._scans.scan(incoming.authorization, body, arrived_at, until))
            else:
                await self._rest(_for_rest(scope, incoming), Replayed(body, receive), answering)
                answering.code = scope["state"].get("problem_code")
        except ApiProblem as problem:
            await answering.problem(problem)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - logged, and answered without details
            # FastAPI has answered, and raises all the same so that somebody logs it: here.
            _log.exception("request_failed", method=method, path=path)
            if not answering.status:
                await answering.problem(internal_error())
        # An answered scan is kept in the store and would fill the log: its line is for who asked for every detail.
        if not is_scan or answering.is_problem or self._limits.logs_scans:
            answering.log(method, path)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})


def _for_rest(scope: Scope, incoming: Incoming) -> Scope:
    scope.setdefault("state", {})["request_id"] = incoming.request_id
    # HEAD is GET without its body (RFC 9110 section 9.3.2), which the server leaves out.
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
