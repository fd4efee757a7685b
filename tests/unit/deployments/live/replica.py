"""One replica of the live view beside a gateway, on the same stand-ins, and clients that watch."""

import asyncio
from typing import Any
from uuid import UUID

import httpx

from deployments.http.confirmed_cache import Freshness
from deployments.live.assembly import LiveBackends, LiveView, assemble_live
from deployments.live.server_sent_events import BEAT
from integrations.kafka.gym_events import GymChange
from tests.contract.openapi_contract import OpenApiContract
from tests.unit.deployments.harness import Harness
from tests.unit.deployments.live.hub_harness import Event, StandInEvents, parsed

PATIENCE_S = 10.0


class Client:
    """Somebody who watches; what an ASGI server would do for them."""

    def __init__(self, view: LiveView, gym: UUID, headers: dict[str, str], method: str = "GET") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "method": method,
            "path": f"/api/live/gyms/{gym}",
            "root_path": "/api/live",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("gym.test", 80),
            "scheme": "http",
            "http_version": "1.1",
        }
        self.task = asyncio.create_task(view.app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:  # noqa: ANN401 - ASGI's
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if message.get("body"):
            await self._chunks.put(message["body"])
        if not message.get("more_body", False):
            await self._chunks.put(None)

    async def body(self) -> bytes:
        """All of an answer that ends."""
        found = b""
        while (chunk := await asyncio.wait_for(self._chunks.get(), PATIENCE_S)) is not None:
            found += chunk
        return found

    async def event(self) -> Event | None:
        """The next event; None once the stream was closed."""
        while (chunk := await asyncio.wait_for(self._chunks.get(), PATIENCE_S)) is not None:
            if chunk != BEAT:
                return parsed(chunk)
        return None

    async def leave(self) -> None:
        """Hang up."""
        self._gone.set()
        await asyncio.wait_for(self.task, PATIENCE_S)


class Replica:
    """The live view, whose `Gym` is asked anew about whoever has a stream open."""

    def __init__(self, harness: Harness, *, freshness: Freshness | None = None) -> None:
        self.harness = harness
        self.events = StandInEvents()
        self.view = assemble_live(
            LiveBackends(harness.gym, harness.identity, harness.tokens, self.events),
            harness.settings,
            harness.world.clock,
            freshness=freshness or Freshness(trust_for=0, deny_for=0),
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.view.app, root_path="/api/live"),
            base_url="http://gym.test/api/live",
        )
        self.contract = OpenApiContract(self.view.app._rest.openapi_schema)  # type: ignore[attr-defined]  # noqa: SLF001 - a FastAPI application

    def watch(self, gym: UUID, headers: dict[str, str], method: str = "GET") -> Client:
        return Client(self.view, gym, headers, method)

    def tell(self, gym: UUID) -> None:
        """What Kafka would."""
        self.view.hub.heard([GymChange(gym, None)])

    async def close(self) -> None:
        await self.view.hub.close()
        await self.client.aclose()
