"""What every HTTP application of Serve shares: request ids, body limits, headers, CORS, logging and error bodies."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http.background_tasks import Lifespan
from deployments.http.body_reading import BodyReceiver, ClientGoneError, Replayed, read_body
from deployments.http.client_addresses import ClientSource, client_of
from deployments.http.headers import RequestHeaders, always, read_headers
from deployments.http.path_redaction import logged_path
from deployments.http.problems import ApiProblem, internal_error
from deployments.http.responses import ResponseSender
from domain.clock import Clock
from domain.identity.model import Client
from integrations.settings import Settings

_TAKES_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAY_BE_SENT = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "X-Request-Id"]
_MAY_BE_READ = ["ETag", "Idempotency-Replayed", "Location", "Retry-After", "X-Request-Id"]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """A request to a direct endpoint.

    Args:
        authorization: the header of that name.
        body: the whole body, within the limits.
        client: reads the client's address; called only where it is needed.
        arrived_at: by the server's clock, before the body was read.
        arrived_loop_s: the same by the event loop's clock, in seconds.
    """

    authorization: str | None
    body: bytes
    client: Callable[[], Client]
    arrived_at: datetime
    arrived_loop_s: float


DirectEndpoint = Callable[[DirectRequest], Awaitable[bytes]]
"""Answers a request with JSON, or raises `ApiProblem`."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What is accepted, and how it is answered.

    Args:
        max_body_bytes: of a request.
        larger: of requests to these paths, in place of it.
        logs_direct: whether successful answers of direct endpoints are logged too.
        source: where the client's address is read.
        forms: paths that take a form instead of JSON.
        uploads: methods and paths that take a picture; their endpoints read the body themselves.
        origins: origins of other pages that may call (CORS).
        https: whether the public address is HTTPS.
        untyped_json: whether JSON may also be sent as `text/plain` or without a content type.
    """

    max_body_bytes: int
    logs_direct: bool = False
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
    ) -> "RequestLimits":
        """The limits that the settings name."""
        return cls(
            settings.api.max_body_bytes,
            logs_direct=settings.log_level.upper() == "DEBUG",
            source=ClientSource.of(settings.api),
            forms=forms,
            larger=larger or {},
            uploads=uploads,
            origins=tuple(settings.api.allowed_origins),
            https=settings.api.public_url.startswith("https:"),
            untyped_json=untyped_json,
        )


class AsgiApplication:
    """An ASGI application around a FastAPI one. Every request gets an answer, whatever fails.

    An object, because Serve takes a bare function for a builder.

    Args:
        rest: answers every request that no direct endpoint takes.
        limits: what is accepted.
        clock: the present.
        lifespan: what starts and stops with the application.
        direct: endpoints by method and path that bypass FastAPI, whose own work costs as much as a scan.
        route_suffix: the end of Serve's route prefix that the application's own paths begin with, as `/scans` where
            `/api/scans` is served by an application whose paths are `/scans/...`.
        names_request: whether answers carry the request id; Serve's server adds it by itself.
    """

    def __init__(
        self,
        rest: ASGIApp,
        limits: RequestLimits,
        clock: Clock,
        *,
        lifespan: Lifespan,
        direct: Mapping[tuple[str, str], DirectEndpoint] | None = None,
        route_suffix: str = "",
        names_request: bool = True,
    ) -> None:
        self._rest = rest
        self._limits = limits
        self._clock = clock
        self.lifespan = lifespan
        self._direct = dict(direct or {})
        self._direct_paths = {path for _, path in self._direct}
        self._route_suffix = route_suffix
        self._names_request = names_request
        self._words: frozenset[str] = getattr(getattr(rest, "state", None), "words", frozenset())
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
        arrived_at, arrived_loop_s = self._clock(), asyncio.get_running_loop().time()
        incoming = read_headers(scope["headers"])
        receive = arriving = BodyReceiver(receive, has_body=incoming.has_body, is_awaited=incoming.expects_continue)
        answering = ResponseSender(send, incoming, arriving, self._usual, names_request=self._names_request)
        scope["root_path"] = root_path = scope.get("root_path", "").removesuffix(self._route_suffix)
        method, path = scope["method"], scope["path"].removeprefix(root_path)
        # Never reset: a server runs each request in a context of its own, and the next request binds its own id.
        structlog.contextvars.bind_contextvars(request_id=incoming.request_id)
        endpoint = self._direct.get((method, path))
        try:
            if endpoint is not None:
                body = await self._body(incoming, receive, method, path)
                client = partial(client_of, HTTPConnection(scope), self._limits.source)
                request = DirectRequest(incoming.authorization, body, client, arrived_at, arrived_loop_s)
                await answering.json(await endpoint(request))
            else:
                self._refuse_other_methods(path)
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
            # FastAPI has answered, and raises all the same so that its caller logs the error.
            _log.exception("request_failed", method=method, path=logged_path(path, self._words))
            if not answering.status:
                await answering.problem(internal_error())
        # Successful scans are rows of the store; a log line for each would fill the log.
        if endpoint is None or answering.is_problem or self._limits.logs_direct:
            answering.log(method, logged_path(path, self._words))

    def _refuse_other_methods(self, path: str) -> None:
        if path in self._direct_paths:
            allow = ", ".join(sorted(method for method, served in self._direct if served == path))
            raise ApiProblem("method_not_allowed", f"Use one of these methods: {allow}.", headers={"Allow": allow})

    async def _body(self, incoming: RequestHeaders, receive: Receive, method: str, path: str) -> bytes:
        if method not in _TAKES_BODY:
            return b""
        is_form = path in self._limits.forms
        max_bytes = self._limits.larger.get(path, self._limits.max_body_bytes)
        return await read_body(incoming, receive, max_bytes, is_form=is_form, untyped=self._limits.untyped_json)

    def _is_upload(self, incoming: RequestHeaders, method: str, path: str) -> bool:
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
    # Without credentials: the page itself sets the token's header, never the browser.
    return CORSMiddleware(
        served,
        allow_origins=origins,
        allow_methods=["GET", *sorted(_TAKES_BODY)],
        allow_headers=_MAY_BE_SENT,
        expose_headers=_MAY_BE_READ,
    )


def _for_rest(scope: Scope, incoming: RequestHeaders) -> Scope:
    scope.setdefault("state", {})["request_id"] = incoming.request_id
    scope["state"]["wants_body"] = scope["method"] != "HEAD"
    # HEAD is GET without its body (RFC 9110 section 9.3.2), which the server leaves out.
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope


def _as_json(scope: Scope) -> Scope:
    headers = [header for header in scope["headers"] if header[0] != b"content-type"]
    return {**scope, "headers": [*headers, (b"content-type", b"application/json")]}
