"""The ASGI application that Serve runs: the scan's lean way, and FastAPI's for everything else."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http.background_tasks import Lifespan
from deployments.http.body_reading import Arriving, ClientGoneError, Replayed, read_body
from deployments.http.client_addresses import ClientSource, client_of
from deployments.http.headers import Incoming, always, read_headers
from deployments.http.logged_paths import logged_path
from deployments.http.problems import ApiProblem, internal_error
from deployments.http.responses import Answering
from deployments.qr.scan_service import ScanDesk
from domain.clock import Clock
from integrations.settings import Settings

# A decision made just in time still has its way back before it; the door itself waits 2 s.
WAY_BACK_S = 0.1
_TAKES_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAY_BE_SENT = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-Request-Id"]
_MAY_BE_READ = ["ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-Id"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ShellLimits:
    """What is accepted, and how it is answered.

    Args:
        max_body_bytes: of a request.
        larger: of requests to these paths, in place of it.
        deadline_s: how long a scan may take.
        logs_scans: whether each scan that is answered gets a line in the log.
        source: where the client's address is read.
        forms: paths that take a form instead of JSON.
        uploads: methods and paths that take a picture, whose bodies are read by whoever answers the call.
        origins: whose pages may call, beside our own.
        https: whether the public reaches this by HTTPS.
        untyped_json: whether JSON may also be sent as `text/plain` or without a type.
    """

    max_body_bytes: int
    deadline_s: float
    logs_scans: bool = False
    source: ClientSource = field(default_factory=ClientSource)
    forms: frozenset[str] = frozenset()
    larger: Mapping[str, int] = field(default_factory=dict)
    uploads: tuple[tuple[str, str], ...] = ()
    origins: tuple[str, ...] = ()
    https: bool = False
    untyped_json: bool = False

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        forms: frozenset[str] = frozenset(),
        larger: Mapping[str, int] | None = None,
        uploads: tuple[tuple[str, str], ...] = (),
        untyped_json: bool = False,
    ) -> "ShellLimits":
        """As the settings say."""
        return cls(
            settings.api.max_body_bytes,
            settings.door.deadline_s,
            logs_scans=settings.log_level.upper() == "DEBUG",
            source=ClientSource.of(settings.api),
            forms=forms,
            larger=larger or {},
            uploads=uploads,
            origins=tuple(settings.api.allowed_origins),
            https=settings.api.public_url.startswith("https:"),
            untyped_json=untyped_json,
        )


class Shell:
    """Everything that all calls share: request ids, the body's limits, headers, and an answer whatever happens.

    An object, because Serve takes a bare function for a builder.

    Args:
        scans: answers `POST /scans`, without FastAPI, whose own work would cost as much as the scan; None where an
            application serves no scans.
        rest: answers everything else.
        limits: see there.
        clock: the present.
        lifespan: what begins and ends with serving.
        names_request: whether answers carry the request id; Serve's server adds it by itself.
    """

    def __init__(
        self,
        scans: ScanDesk | None,
        rest: ASGIApp,
        limits: ShellLimits,
        clock: Clock,
        *,
        lifespan: Lifespan,
        names_request: bool = True,
    ) -> None:
        self.scans = scans
        self._rest = rest
        self._limits = limits
        self._clock = clock
        self.lifespan = lifespan
        self._names_request = names_request
        self._words = getattr(getattr(rest, "state", None), "words", frozenset()) | {"scans"}
        self._usual = always(https=limits.https)
        self._uploads: list[tuple[str, re.Pattern[str]]] = [
            (method, compile_path(path)[0]) for method, path in limits.uploads
        ]
        self._served: ASGIApp = _shared(self._http, limits.origins) if limits.origins else self._http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of ASGI."""
        if scope["type"] == "http":
            await self._served(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived_at = self._clock()
        until = asyncio.get_running_loop().time() + self._limits.deadline_s + WAY_BACK_S
        incoming = read_headers(scope["headers"])
        receive = arriving = Arriving(receive, has_body=incoming.has_body, is_awaited=incoming.expects_continue)
        answering = Answering(send, incoming, arriving, self._usual, names_request=self._names_request)
        method, path = scope["method"], scope["path"].removeprefix(scope.get("root_path", ""))
        # Never taken back: a server runs each request in a context of its own, and the next one here binds its own id.
        structlog.contextvars.bind_contextvars(request_id=incoming.request_id)
        scans = self.scans if method == "POST" and path == "/scans" else None
        try:
            if scans:
                body = await self._body(incoming, receive, method, path)
                client = partial(client_of, HTTPConnection(scope), self._limits.source)
                await answering.json(await scans.scan(incoming.authorization, client, body, arrived_at, until))
            else:
                if not self._is_upload(incoming, method, path):
                    receive = Replayed(await self._body(incoming, receive, method, path), receive)
                if self._limits.untyped_json and incoming.is_untyped:
                    scope = _as_json(scope)
                await self._rest(_for_rest(scope, incoming), receive, answering)
                answering.code = scope["state"].get("problem_code")
        except ApiProblem as problem:
            await answering.problem(problem)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - logged, and answered without details
            # FastAPI has answered, and raises all the same so that somebody logs it: here.
            _log.exception("request_failed", method=method, path=logged_path(path, self._words))
            if not answering.status:
                await answering.problem(internal_error())
        # An answered scan is kept in the store and would fill the log: its line is for who asked for every detail.
        if not scans or answering.is_problem or self._limits.logs_scans:
            answering.log(method, logged_path(path, self._words))

    async def _body(self, incoming: Incoming, receive: Receive, method: str, path: str) -> bytes:
        if method not in _TAKES_BODY:
            return b""
        is_form = path in self._limits.forms
        max_bytes = self._limits.larger.get(path, self._limits.max_body_bytes)
        return await read_body(incoming, receive, max_bytes, is_form=is_form, untyped=self._limits.untyped_json)

    def _is_upload(self, incoming: Incoming, method: str, path: str) -> bool:
        return incoming.is_upload and any(
            method == taken and pattern.match(path) is not None for taken, pattern in self._uploads
        )

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.lifespan.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.lifespan.stop()
        await send({"type": "lifespan.shutdown.complete"})


def _shared(served: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    # Without credentials: a token is put into its header by the page itself, never by the browser.
    return CORSMiddleware(
        served,
        allow_origins=origins,
        allow_methods=["GET", *sorted(_TAKES_BODY)],
        allow_headers=_MAY_BE_SENT,
        expose_headers=_MAY_BE_READ,
    )


def _for_rest(scope: Scope, incoming: Incoming) -> Scope:
    scope.setdefault("state", {})["request_id"] = incoming.request_id
    scope["state"]["wants_body"] = scope["method"] != "HEAD"
    # HEAD is GET without its body (RFC 9110 section 9.3.2), which the server leaves out.
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _as_json(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
