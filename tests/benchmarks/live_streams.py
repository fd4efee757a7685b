"""What open streams cost, and whether they slow a scan: an embedded stack of its own, one replica of the live view.

Run `python -m tests.benchmarks.live_streams [STREAMS] [SECONDS]`, 1,000 and 30 by default. One scan a second, in turn
without streams, with so many at another gym, and with so many at the gym that is scanned. The client is one process
on the same machine, so what it needs to read the streams is part of the delay.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
from sqlalchemy import select

from domain.identity.model import Role
from domain.identity.tables import users
from domain.ids import new_id
from domain.passes import issue_times
from domain.unit_of_work import Store
from integrations.local_identity.tokens import mint_access_token
from integrations.pass_keys import PassSigner
from integrations.settings import Settings
from tests.faults.full_stack.full_stack import replicas
from tests.live_watchers import Watcher, all_see
from tests.stacks import TestedStack

SESSIONS, TURN, EVERY_S = 100, 30, 1.0


@dataclass
class Phase:
    """What was seen while scans came one by one."""

    name: str
    scans_ms: list[float] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0
    memory_mib: float = 0.0
    seconds: float = 0.0

    def line(self) -> str:
        """As a row of a table."""
        scans = f"{_quantile(self.scans_ms, 0.5)} | {_quantile(self.scans_ms, 0.99)}"
        delays = f"{_quantile(self.delays_ms, 0.5)} | {_quantile(self.delays_ms, 0.99)}"
        cpu = f"{self.cpu_ms / self.seconds:.0f}"
        return f"| {self.name} | {scans} | {delays} | {cpu} | {self.memory_mib:.0f} |"


def _quantile(values: Sequence[float], share: float) -> str:
    return f"{sorted(values)[int(share * (len(values) - 1))]:.0f}" if values else ""


class Bench:
    """One stack, its gyms and members, and a door that scans them in turn."""

    def __init__(self, stack: TestedStack, demo: dict[str, Any]) -> None:
        self.stack = stack
        self.settings = Settings(data_dir=stack.data_dir, port=stack.port)
        self._gate = demo["gyms"][0]["gates"][0]
        self.gyms = [UUID(gym["id"]) for gym in demo["gyms"]]
        self._signer = PassSigner(stack.data_dir / "keys" / "passes")
        store = Store(self.settings.database.url.get_secret_value())
        emails = [member["email"] for member in demo["members"] if member["state"] == "active"][:TURN]
        with store.reading() as connection:
            self._members = list(connection.scalars(select(users.c.id).where(users.c.email.in_(emails))))
        store.close()
        self._turn = count()
        [self.live] = replicas(stack, "Live")

    def tokens(self) -> list[str]:
        """Those of as many members, who are no staff."""
        ids = [new_id() for _ in range(SESSIONS)]
        return [
            "Bearer "
            + mint_access_token(
                self.settings, sub=id_, email=f"{id_}@x.example", groups=[Role.USER], lifetime=timedelta(hours=1)
            )
            for id_ in ids
        ]

    async def scan(self, client: httpx.AsyncClient) -> dict[str, Any]:
        """Let the next member in, or out once all are in."""
        number = next(self._turn)
        code = self._signer.sign(self._members[number % TURN], issue_times(datetime.now(UTC))[0])
        direction = "leave" if number // TURN % 2 else "enter"
        body = {"code": code, "gate_id": self._gate["id"], "direction": direction, "scan_id": str(uuid4())}
        answer = await client.post("/api/scans", json=body, headers={"Authorization": f"Device {self._gate['device']}"})
        found: dict[str, Any] = answer.raise_for_status().json()
        assert found["outcome"] != "refused", found
        return found

    async def phase(self, name: str, seconds: float, shown: dict[int, list[float]]) -> Phase:
        """Scan once a second; `shown` has when each occupancy arrived at the streams."""
        phase = Phase(name, seconds=seconds)
        before = _cpu_s(self.live)
        async with httpx.AsyncClient(base_url=self.stack.record.url, timeout=30) as client:
            until = time.monotonic() + seconds
            while (began_at := time.monotonic()) < until:
                shown.clear()
                answer = await self.scan(client)
                phase.scans_ms.append((time.monotonic() - began_at) * 1000)
                await asyncio.sleep(max(0.0, began_at + EVERY_S - time.monotonic()))
                decided_at = datetime.fromisoformat(answer["decided_at"]).timestamp()
                phase.delays_ms += [(at - decided_at) * 1000 for at in shown.get(answer["occupancy"], [])]
        phase.cpu_ms = (_cpu_s(self.live) - before) * 1000
        phase.memory_mib = self.live.memory_full_info().pss / 2**20
        return phase


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def measure(bench: Bench, streams: int, seconds: float) -> list[Phase]:
    """The three phases, after some scans that only warm up."""
    shown: dict[int, list[float]] = {}

    def note(occupancy: int, at: float) -> None:
        shown.setdefault(occupancy, []).append(at)

    await bench.phase("warm-up", 5, shown)
    phases = [await bench.phase("no streams", seconds, shown)]
    tokens = bench.tokens()
    for name, gym in (("at another gym", bench.gyms[1]), ("at the gym that is scanned", bench.gyms[0])):
        watchers = [Watcher(bench.stack.port, gym, tokens[n % SESSIONS], note) for n in range(streams)]
        tasks = [asyncio.create_task(one.run()) for one in watchers]
        opened_s = await all_see(watchers)
        sys.stdout.write(f"{streams} streams {name}: all open after {opened_s:.1f} s\n")
        await asyncio.sleep(3)
        phases.append(await bench.phase(f"{streams:,} {name}", seconds, shown))
        lost = sum(one.opened - 1 for one in watchers)
        sys.stdout.write(f"streams that were lost meanwhile: {lost}\n")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(2)
    return phases


@contextmanager
def stack() -> Iterator[TestedStack]:
    """A stack with the live view, in which a few may open many streams."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"FITMONITOR_LIVE__ENABLED": "true", "FITMONITOR_LIVE__STREAMS_PER_PRINCIPAL": "100000"}
        started = TestedStack(Path(folder), environment=settings)
        try:
            started.start()
            yield started
        finally:
            started.down()


def main(streams: int = 1000, seconds: float = 30) -> None:
    """Print a table."""
    with stack() as started:
        bench = Bench(started, json.loads(started.demo()))
        phases = asyncio.run(measure(bench, streams, seconds))
    sys.stdout.write(
        "| streams | scan p50 ms | p99 ms | decision to client p50 ms | p99 ms | Live's CPU ms/s | its PSS MiB |\n"
        "|---|---|---|---|---|---|---|\n" + "".join(f"{phase.line()}\n" for phase in phases)
    )


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:3]])
