"""Pictures through one gateway: how many are taken and shown in a second, and the memory that uploads at once take.

Uvicorn on loopback, pictures in a folder, Gym's work on threads of the same process. For the memory nobody looks at
what was uploaded: it is the gateway's own that is measured.

Run `python -m tests.benchmarks.image_rates`.
"""

import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from PIL import Image

from deployments.gym.pictures import PictureService
from deployments.gym.services import GymServices
from deployments.service_host import name_of
from domain.identity.model import Role
from domain.migrations.run import upgrade
from domain.unit_of_work import Store
from integrations.logs import configure_logging
from integrations.settings import ImageSettings
from tests.benchmarks.authenticated_get import _port, _wait_for
from tests.unit.deployments.harness import API, Harness, LocalServices
from tests.world import World

ROUNDS, CONNECTIONS = 5, 4
AT_ONCE = 50
LARGEST = ImageSettings().max_bytes
PIECE = 64 * 1024


class ThreadedServices(LocalServices[GymServices]):
    """Gym's class on threads, as Serve runs it; or nobody, who takes every picture unseen."""

    def __init__(self, harness: Harness, *, looks: bool) -> None:
        super().__init__(harness.gym.services, harness.world.clock)
        self._looks = looks

    async def __call__(self, method: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever is asked
        if method is PictureService.set and not self._looks:
            return "/api/pictures/unseen"
        return await asyncio.to_thread(self.host.call, name_of(method), *args, **kwargs)


def serve(port: int, answers: "multiprocessing.Queue[str]", *, looks: bool) -> None:
    """One gateway, and a token of somebody who uploads."""
    folder = Path(tempfile.mkdtemp())
    url = f"sqlite:///{folder / 'gym.sqlite3'}"
    upgrade(url)
    api = API.model_copy(update={"requests_per_user_per_second": 10**9, "max_body_bytes": 64 * 1024})
    harness = Harness(World(Store(url)), api=api, images=ImageSettings())
    configure_logging(harness.settings.model_copy(update={"log_level": "WARNING"}))
    rest: Any = harness.shell._rest  # noqa: SLF001 - a FastAPI application
    services = ThreadedServices(harness, looks=looks)
    rest.state.dependencies = replace(rest.state.dependencies, gym=services)
    answers.put(harness.bearer(Role.ADMIN)["Authorization"])
    uvicorn.run(harness.shell, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def photograph(width: int, height: int) -> bytes:
    """A JPEG with as much in it as a photograph has."""
    noise = Image.frombytes("RGB", (width // 8, height // 8), os.urandom(width * height * 3 // 64))
    file = BytesIO()
    noise.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=88)
    return file.getvalue()


async def rate(ask: Callable[[], Awaitable[httpx.Response]], seconds: float = 3.0) -> float:
    """Answers in a second over a few connections, the median of some rounds."""

    async def connection(until: float) -> int:
        answered = 0
        while time.monotonic() < until:
            answer = await ask()
            if answer.status_code not in {200, 304}:
                raise RuntimeError(answer.text)
            answered += 1
        return answered

    rates = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        answered = await asyncio.gather(*(connection(began + seconds) for _ in range(CONNECTIONS)))
        rates.append(sum(answered) / (time.monotonic() - began))
    return statistics.median(rates)


async def rates(client: httpx.AsyncClient) -> None:
    """Print how many pictures are taken and shown in a second."""
    for name, picture in (("12 megapixels", photograph(4000, 3000)), ("0.5 megapixels", photograph(800, 600))):
        jpeg = {"Content-Type": "image/jpeg"}
        taken = await rate(lambda picture=picture, jpeg=jpeg: client.put("/me/picture", content=picture, headers=jpeg))  # type: ignore[misc]
        _say(f"  JPEG of {name}, {len(picture) / 1e6:.1f} MB: {taken:.1f} taken/s")
    url = (await client.get("/me")).json()["picture_url"].removeprefix("/api")
    noop = await rate(lambda: client.get("/health"))
    for size in ("large", "small"):
        first = await client.get(f"{url}?size={size}")
        shown = await rate(lambda size=size: client.get(f"{url}?size={size}"))  # type: ignore[misc]
        _say(f"  {size}, {len(first.content) / 1e3:.0f} kB: {shown:.0f} shown/s, of {noop:.0f} no-ops/s")
    tag = {"If-None-Match": first.headers["etag"]}
    _say(f"  not modified: {await rate(lambda: client.get(f'{url}?size=small', headers=tag)):.0f}/s")


async def memory(client: httpx.AsyncClient, pid: int) -> None:
    """Print the gateway's peak while uploads of the largest size are all under way at once."""
    jpeg = {"Content-Type": "image/jpeg"}
    await client.put("/me/picture", content=b"x" * PIECE, headers=jpeg)  # warms up
    before = _resident_peak(pid, forget=True)
    under_way, everybody = 0, asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        nonlocal under_way
        for _ in range(LARGEST // PIECE - 1):
            yield os.urandom(PIECE)
        under_way += 1
        if under_way == AT_ONCE:
            everybody.set()
        await everybody.wait()
        yield os.urandom(PIECE)

    began = time.monotonic()
    answers = await asyncio.gather(*(client.put("/me/picture", content=body(), headers=jpeg) for _ in range(AT_ONCE)))
    took = time.monotonic() - began
    codes = {answer.status_code for answer in answers}
    peak = _resident_peak(pid)
    _say(
        f"  {AT_ONCE} uploads of {LARGEST >> 20} MiB at once, answered {codes}, {took:.1f} s "
        f"({AT_ONCE * LARGEST / took / 2**20:.0f} MiB/s): from {before >> 10} to {peak >> 10} MiB"
    )


def _resident_peak(pid: int, *, forget: bool = False) -> int:
    """Of a process, in KiB; see proc(5)."""
    if forget:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


async def _with_gateway(part: Callable[[httpx.AsyncClient, int], Awaitable[None]], *, looks: bool) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[str] = context.Queue()
    port = _port()
    server = context.Process(target=serve, args=(port, answers), kwargs={"looks": looks}, daemon=True)
    server.start()
    try:
        token = await asyncio.to_thread(answers.get)
        await _wait_for(port)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": token},
            timeout=60,
            limits=httpx.Limits(max_connections=AT_ONCE),
        ) as client:
            assert server.pid is not None
            await client.get("/me")
            await part(client, server.pid)
    finally:
        server.terminate()


async def main() -> None:
    """Print the figures."""
    _say(f"Pictures taken and shown, {CONNECTIONS} connections, median of {ROUNDS} rounds")
    await _with_gateway(lambda client, _pid: rates(client), looks=True)
    _say("Memory of the gateway")
    await _with_gateway(memory, looks=False)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
