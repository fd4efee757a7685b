"""The server: Stripe's API, the pages, the control interface, and what happens meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cluster.local.stripe_sandbox.carry_out import HANG_UP, ApiCalls
from cluster.local.stripe_sandbox.control import Control
from cluster.local.stripe_sandbox.errors import SandboxError
from cluster.local.stripe_sandbox.guard import check_headers, check_same_site
from cluster.local.stripe_sandbox.pages import Pages
from cluster.local.stripe_sandbox.webhooks import Webhooks
from cluster.local.stripe_sandbox.world import World

_log = logging.getLogger(__name__)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_TICK_S = 0.25
_FORGET_EVERY = 4 * 3600  # ticks


class Protocol(HttpToolsProtocol):
    """HTTP whose connections can be cut by what answers."""

    def on_message_begin(self) -> None:
        """Give the request the way to do so."""
        super().on_message_begin()
        extensions: dict[str, Any] = {HANG_UP: self.transport.abort}
        self.scope["extensions"] = extensions


class _Guard:
    """Refuses what a sandbox must never meet, whatever it asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                check_headers(scope["headers"], scope["query_string"])
                check_same_site(scope["method"], scope["headers"])
            except SandboxError as error:
                await JSONResponse(error.body, error.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def make_app(world: World) -> Starlette:
    """The whole application over a world, which it closes in the end."""
    webhooks = Webhooks(world.store, world.panel, world.secrets)
    world.events.on_event = webhooks.wake

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(webhooks.run()), asyncio.create_task(_tick(world))]
        for task in tasks:
            task.add_done_callback(_complain)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            world.store.close()

    return Starlette(
        routes=[
            Route("/v1/{path:path}", ApiCalls(world).answer, methods=_METHODS),
            *Control(world, webhooks).routes(),
            *Pages(world, webhooks).routes(),
        ],
        middleware=[Middleware(_Guard)],
        exception_handlers={SandboxError: _refused},
        lifespan=lifespan,
    )


async def _tick(world: World) -> None:
    ticks = 0
    while True:
        world.catch_up()
        if ticks % _FORGET_EVERY == 0:
            world.keys.forget_old()
        ticks += 1
        await asyncio.sleep(_TICK_S)


def _complain(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.critical("what happens meanwhile has stopped", exc_info=error)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, SandboxError):
        raise error
    return JSONResponse(error.body, error.status)
