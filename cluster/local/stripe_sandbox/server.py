"""The server: Stripe's API, the pages, the control interface, and background work."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cluster.local.stripe_sandbox import sessions
from cluster.local.stripe_sandbox.api import CLOSE_CONNECTION, Api
from cluster.local.stripe_sandbox.control import Control
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.guard import check_headers, check_same_site
from cluster.local.stripe_sandbox.pages import Pages
from cluster.local.stripe_sandbox.sandbox import Sandbox
from cluster.local.stripe_sandbox.webhooks import Webhooks

_log = logging.getLogger(__name__)
_TICK_S = 0.25
_TICKS_OF_AN_HOUR = 4 * 3600


class Protocol(HttpToolsProtocol):
    """HTTP over connections that a response can close."""

    def on_message_begin(self) -> None:
        """Add the function that closes the connection to the request."""
        super().on_message_begin()
        extensions: dict[str, Any] = {CLOSE_CONNECTION: self.transport.abort}
        self.scope["extensions"] = extensions


class _Guard:
    """Middleware that runs the checks of `guard` on every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                check_headers(headers, scope["query_string"].decode("latin-1"))
                check_same_site(scope["method"], headers)
            except SandboxError as error:
                await JSONResponse(error.body, error.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_app(sandbox: Sandbox) -> Starlette:
    """Create the application. It closes the sandbox's store at the end."""
    webhooks = Webhooks(sandbox)
    sandbox.events.on_queued = webhooks.wake

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(webhooks.run()), asyncio.create_task(_tick(sandbox))]
        for task in tasks:
            task.add_done_callback(_log_failure)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            sandbox.store.close()

    return Starlette(
        routes=[*Api(sandbox).routes(), *Control(sandbox, webhooks).routes(), *Pages(sandbox, webhooks).routes()],
        middleware=[Middleware(_Guard)],
        exception_handlers={SandboxError: _error_response},
        lifespan=lifespan,
    )


async def _tick(sandbox: Sandbox) -> None:
    ticks = 0
    while True:
        sessions.expire_due(sandbox)
        if ticks % _TICKS_OF_AN_HOUR == 0:
            sandbox.keys.delete_old()
        ticks += 1
        await asyncio.sleep(_TICK_S)


def _log_failure(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.critical("background_task_failed", exc_info=error)


async def _error_response(_: Request, error: Exception) -> Response:
    if not isinstance(error, SandboxError):
        raise error
    return JSONResponse(error.body, error.status)
