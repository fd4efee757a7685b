"""The cost of authentication: the gateway's no-op with and without a token, over HTTP on loopback.

Run `python -m tests.benchmarks.authenticated_get`.
"""

import asyncio
import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvicorn

from deployments.gateway.routers import build_rest
from deployments.http.api_rights import RIGHTS
from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.background_tasks import Lifespan
from deployments.http.rights import USER
from deployments.http.route_guard import RouteGuard
from domain.clock import system_clock
from domain.identity.model import Role
from domain.ids import new_id
from domain.migrations.run import upgrade
from domain.unit_of_work import Store
from integrations.local_identity.tokens import mint_access_token
from integrations.logs import configure_logging
from integrations.tokens import TokenUse, TokenVerifier
from tests.unit.deployments.harness import API, Harness
from tests.world import World

ROUNDS, SECONDS, CONNECTIONS = 7, 2.0, 4


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(port: int, *, authenticated: bool, answers: "multiprocessing.Queue[str]") -> None:
    """One gateway whose `/health` is everybody's, or a user's."""
    folder = Path(tempfile.mkdtemp())
    url = f"sqlite:///{folder / 'gym.sqlite3'}"
    upgrade(url)
    harness = Harness(World(Store(url)), api=API.model_copy(update={"requests_per_user_per_second": 10**9}))
    configure_logging(harness.settings.model_copy(update={"log_level": "WARNING"}))
    rest = harness.shell._rest  # noqa: SLF001 - a FastAPI application
    keeper: RouteGuard = rest.state.guard  # type: ignore[attr-defined]
    keeper.authenticator._tokens = TokenVerifier(harness.settings.identity, TokenUse.ACCESS)  # noqa: SLF001 - the real one
    rights = {**RIGHTS, ("GET", "/health"): USER} if authenticated else RIGHTS
    app = build_rest(rest.state.dependencies, replace(keeper, rights=rights))  # type: ignore[attr-defined]
    shell = AsgiApplication(app, RequestLimits.of(harness.settings), system_clock, lifespan=Lifespan())
    user_id = new_id()
    email = f"{user_id}@example.org"
    answers.put(
        mint_access_token(harness.settings, sub=user_id, email=email, groups=[Role.USER], lifetime=timedelta(hours=1))
    )
    uvicorn.run(shell, host="127.0.0.1", port=port, log_level="warning", access_log=False)


async def _connection(port: int, request: bytes, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    while time.monotonic() < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = next(int(line[16:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length: "))
        await reader.readexactly(length)
        answered += 1
    writer.close()
    return answered


async def rate(port: int, token: str) -> float:
    """Requests answered in a second."""
    request = f"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    until = time.monotonic() + SECONDS
    return sum(await asyncio.gather(*(_connection(port, request, until) for _ in range(CONNECTIONS)))) / SECONDS


async def _wait_for(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


async def main() -> None:
    """Print the rates and their ratio."""
    context = multiprocessing.get_context("spawn")
    servers, tokens, ports = [], [], []
    for authenticated in (False, True):
        answers: multiprocessing.Queue[str] = context.Queue()
        ports.append(_port())
        server = context.Process(
            target=serve, args=(ports[-1],), kwargs={"authenticated": authenticated, "answers": answers}, daemon=True
        )
        server.start()
        servers.append(server)
        tokens.append(await asyncio.to_thread(answers.get))
        await _wait_for(ports[-1])
    found: list[tuple[float, float]] = []
    try:
        for number in range(ROUNDS + 1):
            pair = await rate(ports[0], tokens[0]), await rate(ports[1], tokens[1])
            if number:  # the first warms up
                found.append(pair)
    finally:
        for server in servers:
            server.terminate()
    ratios = [with_token / without for without, with_token in found]
    sys.stdout.write(
        f"no-op {statistics.median(one for one, _ in found):.0f}/s, "
        f"with a token {statistics.median(one for _, one in found):.0f}/s, "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})\n"
    )


if __name__ == "__main__":
    asyncio.run(main())
