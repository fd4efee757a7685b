"""The gateway of `tests.unit.deployments.harness` behind an HTTP port, for commands that are its clients."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from cluster.cli.main import application
from domain.identity.model import Role
from integrations.settings import settings
from tests.loopback import serving
from tests.stores import sqlite_store
from tests.unit.deployments.harness import Harness
from tests.world import World


class ServedGateway:
    """A harness that commands reach by HTTP, and somebody to ask it as.

    Attributes:
        lose: so many of the next answers to such a call (as `POST /plans`) are lost: it is carried out, and the
            connection closed.
        seen: method and path of every request.
    """

    def __init__(self, harness: Harness, port: int) -> None:
        self.harness = harness
        self.lose: Counter[str] = Counter()
        self.seen: list[str] = []
        self.admin = harness.tokens.give(Role.ADMIN, Role.USER, email="olga@example.org")
        self.url = f"http://127.0.0.1:{port}"

    def run(self, *words: str, piped: str | None = None, token: str | None = None) -> Result:
        """Run a command of `fitmonitor` as the admin, or with another token."""
        settings.cache_clear()
        environment = {"FITMONITOR_URL": self.url, "FITMONITOR_TOKEN": token or self.admin}
        return CliRunner().invoke(application(words[0]), list(words), input=piped, env=environment)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> httpx.Response:
        """A call beside the command line, as the admin."""
        told = {"Authorization": f"Bearer {self.admin}"} | headers
        return httpx.request(method, f"{self.url}/api{path}", json=body, headers=told, trust_env=False)


@contextmanager
def served(folder: Path) -> Iterator[ServedGateway]:
    """A gateway on a store of its own, for the length of a `with`."""
    store = sqlite_store(folder)
    try:
        # Its log would go to the standard output that a command's is read from.
        with capture_logs(), _served(World(store)) as gateway:
            yield gateway
    finally:
        store.close()


@contextmanager
def _served(world: World) -> Iterator[ServedGateway]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()

    async def made() -> Harness:
        return Harness(world)

    try:
        harness = asyncio.run_coroutine_threadsafe(made(), loop).result(30)
        found: list[ServedGateway] = []
        with serving(_handler(loop, harness, found)) as port:
            found.append(ServedGateway(harness, port))
            yield found[0]
        asyncio.run_coroutine_threadsafe(harness.client.aclose(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _handler(
    loop: asyncio.AbstractEventLoop, harness: Harness, gateway: list[ServedGateway]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            own = gateway[0]
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            path = self.path.removeprefix("/api")
            call = f"{self.command} {urlsplit(path).path}"
            own.seen.append(call)
            asked = harness.client.request(self.command, path, content=body, headers=headers)
            answer = asyncio.run_coroutine_threadsafe(asked, loop).result(30)
            if own.lose[call]:
                own.lose[call] -= 1
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    return Handler
