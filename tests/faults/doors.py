"""Doors at work: devices that scan over HTTP, on a schedule, while a test does harm to the system behind them."""

import asyncio
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

import httpx
import msgspec

from domain.door.model import ScanAnswer
from domain.passes import issue_times
from integrations.pass_keys import PassSigner
from tests.faults.gyms import Device, Gyms

# A door hears a decision or a 503 within 2 s. Here it waits longer, as this machine runs a whole stack beside it;
# hearing nothing for so long counts as no answer.
_GIVE_UP_S = 3.5
_PATIENCE_S = 280.0  # longer than a stack may take to start
_CLOCKS_OFF_S = (0, 120, -120)
_ENTERS = 0.6
_LOOKS_EVERY_S = 0.05

Asked = tuple[str, UUID]


class Scan(NamedTuple):
    """A wish at a gate, which keeps its id however often it is put."""

    device: Device
    body: dict[str, Any]

    @property
    def asked(self) -> Asked:
        return self.body["scan_id"], self.device.id


@dataclass(frozen=True, slots=True)
class Said:
    """What came of putting a scan once. `status` is 0 where no response came; times are of the monotonic clock."""

    scan_id: str
    asked_at: float
    took_s: float
    status: int
    code: str = ""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A scan with its answer. `due_at` is when the member stood there, whether the door had time for them or not."""

    scan: Scan
    due_at: float
    at: float
    answer: ScanAnswer

    @property
    def took_s(self) -> float:
        return self.at - self.due_at


class Doors:
    """Devices that scan until they are told to stop, and then until everything that they asked is decided.

    A scan is repeated under its id after a 503, a lost connection or silence. Members are let in and out at random,
    now here, now there; a third of the devices are two minutes ahead of time, a third two minutes behind.

    Args:
        url: of the stack.
        gyms: whose devices scan, and whose members come.
        signer: signs the codes.
        every_s: how often a device has a member before it.
        queues: whether a member who came while the device was busy waits their turn, or goes away.
    """

    def __init__(
        self,
        url: str,
        gyms: Gyms,
        signer: PassSigner,
        *,
        every_s: float = 0.5,
        queues: bool = False,
    ) -> None:
        self._url = url
        self._gyms = gyms
        self._signer = signer
        self._every_s = every_s
        self._queues = queues
        self._chance = random.Random(4)  # noqa: S311 - no secret
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="doors", daemon=True)
        self.began_at = self.ended_at = 0.0
        self.stalls: list[tuple[float, float]] = []  # when these doors themselves came late, and by how much
        self.said: list[Said] = []
        self.decided: list[Decided] = []
        self.given: dict[Asked, list[ScanAnswer]] = defaultdict(list)

    def __enter__(self) -> Self:
        self.began_at = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended_at = time.monotonic()
        self._stopping.set()
        self._thread.join(_PATIENCE_S)
        if kind is None:
            self._check()
            assert not self._thread.is_alive(), "some scans are never decided"

    def wait_decided(self, after: float, number: int = 1, timeout_s: float = _PATIENCE_S) -> float:
        """Wait for decisions that came after a moment; returns when the last of so many came."""
        give_up = time.monotonic() + timeout_s
        while True:
            self._check()
            later = [one.at for one in list(self.decided) if one.at > after]
            if len(later) >= number:
                return sorted(later)[number - 1]
            assert time.monotonic() < give_up, f"{len(later)} decisions in {timeout_s:.0f} s"
            time.sleep(0.02)

    def ask_again(self, decided: Sequence[Decided] | None = None) -> list[ScanAnswer]:
        """Repeat scans that were decided, the last 80 unless told which, and note the answers among all others."""

        async def ask() -> list[ScanAnswer]:
            async with self._client() as client:
                return [await self._ask(client, one.scan) for one in decided or self.decided[-80:]]

        return asyncio.run(ask())

    def between(self, start: float, end: float) -> list[Decided]:
        """Scans that were decided within a span of the monotonic clock."""
        return [one for one in list(self.decided) if start <= one.at <= end]

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            self._failure = error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        async with self._client() as client, asyncio.TaskGroup() as doors:
            devices = self._gyms.devices
            for number, device in enumerate(devices):
                first = self.began_at + self._every_s * number / len(devices)
                clock_off = timedelta(seconds=_CLOCKS_OFF_S[number % len(_CLOCKS_OFF_S)])
                doors.create_task(self._door(client, device, first, clock_off))
            doors.create_task(self._watch_itself())

    async def _watch_itself(self) -> None:
        while not self._stopping.is_set():
            due_at = time.monotonic() + _LOOKS_EVERY_S
            await asyncio.sleep(_LOOKS_EVERY_S)
            self.stalls.append((due_at, time.monotonic() - due_at))

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, keepalive_expiry=20)
        return httpx.AsyncClient(base_url=self._url, timeout=_GIVE_UP_S, limits=limits, trust_env=False)

    async def _door(self, client: httpx.AsyncClient, device: Device, due_at: float, clock_off: timedelta) -> None:
        while not self._stopping.is_set():
            wait_s = due_at - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif not self._queues:
                due_at = time.monotonic()
            scan = self._scan(device, clock_off)
            answer = await self._ask(client, scan)
            self.decided.append(Decided(scan, due_at, time.monotonic(), answer))
            due_at += self._every_s

    def _scan(self, device: Device, clock_off: timedelta) -> Scan:
        now = datetime.now(UTC)
        code = self._signer.sign(self._chance.choice(self._gyms.members), issue_times(now)[0])
        body = {
            "code": code,
            "gate_id": str(device.gate_id),
            "direction": "enter" if self._chance.random() < _ENTERS else "leave",
            "scan_id": str(uuid4()),
            "scanned_at": (now + clock_off).isoformat(),
        }
        return Scan(device, body)

    async def _ask(self, client: httpx.AsyncClient, scan: Scan) -> ScanAnswer:
        """Put a scan until it is decided."""
        give_up = time.monotonic() + _PATIENCE_S
        headers = {"Authorization": f"Device {scan.device.credential}"}
        while True:
            asked_at = time.monotonic()
            assert asked_at < give_up, f"{scan.body['scan_id']} is never decided"
            try:
                response = await client.post("/api/scans", json=scan.body, headers=headers)
            except httpx.HTTPError as error:
                self._note(scan, asked_at, 0, type(error).__name__)
                await asyncio.sleep(0.2)
                continue
            if response.status_code == httpx.codes.OK:
                self._note(scan, asked_at, response.status_code)
                answer = msgspec.json.decode(response.content, type=ScanAnswer)
                self.given[scan.asked].append(answer)
                return answer
            retry_after = response.headers.get("retry-after")
            self._note(scan, asked_at, response.status_code, _problem(response), retry_after)
            await asyncio.sleep(float(retry_after or 0.2))

    def _note(self, scan: Scan, asked_at: float, status: int, code: str = "", retry_after: str | None = None) -> None:
        took_s = time.monotonic() - asked_at
        self.said.append(Said(scan.body["scan_id"], asked_at, took_s, status, code, retry_after))


def _problem(response: httpx.Response) -> str:
    """The problem's code; what a proxy says of itself where the gateway did not speak."""
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        return str(response.json()["code"])
    return f"not the gateway's own: {response.text[:80]!r}"


def longest_gap(moments: Iterable[float], start: float, end: float) -> float:
    """Seconds of the longest while within a span in which nothing happened."""
    inside = sorted(moment for moment in moments if start < moment < end)
    edges = [start, *inside, end]
    return max(later - earlier for earlier, later in pairwise(edges))


def p99(values: Iterable[float]) -> float:
    """The value that one of a hundred exceeds."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]
