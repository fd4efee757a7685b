"""The sandbox put together: one process, one thread, one file."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette

from cluster.local.stripe_sandbox.api import Api
from cluster.local.stripe_sandbox.control import Control
from cluster.local.stripe_sandbox.delivery import Delivery
from cluster.local.stripe_sandbox.events import EventLog
from cluster.local.stripe_sandbox.ledger import Ledger
from cluster.local.stripe_sandbox.page_calls import PageCalls
from cluster.local.stripe_sandbox.store import SandboxStore

_LOOK_EVERY_S = 1.0


def build(folder: Path, base: str, key: str, secret: str, webhook_url: str) -> Starlette:
    """The application.

    Args:
        folder: of its file.
        base: where it is reached.
        key: the API key that it takes.
        secret: signs webhooks.
        webhook_url: where they go; empty: nowhere.
    """
    store = SandboxStore(folder / "stripe-sandbox.sqlite3")
    store.free_running_keys()
    events = EventLog(store, sends=bool(webhook_url))
    ledger = Ledger(store, events, base)
    api = Api(store, ledger, key)
    delivery = Delivery(store, events, webhook_url, secret)
    control = Control(store, ledger, events, delivery, api)

    async def expire() -> None:
        while True:
            with store.changing():
                ledger.expire_overdue()
            await asyncio.sleep(_LOOK_EVERY_S)

    @contextlib.asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(delivery.run()), asyncio.create_task(expire())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        store.close()

    routes = [*api.routes(), *control.routes(), *PageCalls(store, ledger).routes()]
    return Starlette(routes=routes, lifespan=life)
