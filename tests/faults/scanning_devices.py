"""What a door does, over and over: a code is signed, shown, and put to the stack until it is decided."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import msgspec

from domain.door.model import ScanAnswer
from domain.passes import issue_times
from integrations.pass_keys import PassSigner
from tests.faults.gyms import Device, Gyms

PATIENCE_S = 280.0  # longer than a stack may take to start
# A door hears a decision or a 503 within 2 s, and asks again after silence.
_GIVE_UP_S = 3.5
_CLOCKS_OFF_S = (0, 120, -120)  # of the devices in turn
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
class Given:
    """A decision that a door was told, the first time or again."""

    asked: Asked
    answer: ScanAnswer


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


@dataclass(frozen=True, slots=True)
class Stall:
    """When the doors themselves came late, and by how many seconds."""

    at: float
    late_s: float


@dataclass(frozen=True, slots=True)
class Began:
    """From this moment of the monotonic clock on doors scan."""

    at: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The doors broke off; the error, written out."""

    why: str


Event = Said | Given | Decided | Stall | Began | Failed


@dataclass(frozen=True, slots=True)
class Plan:
    """Which doors scan what, and how often.

    Args:
        url: of the stack.
        gyms: whose devices scan, and whose members come.
        key_dir: where the keys are that sign the codes.
        every_s: how often a device has a member before it.
        queues: whether a member who came while the device was busy waits their turn, or goes away.
        give_up_s: after so long without a word a device asks again.
    """

    url: str
    gyms: Gyms
    key_dir: Path
    every_s: float = 0.5
    queues: bool = False
    give_up_s: float = _GIVE_UP_S


def scan_in_own_process(plan: Plan, parent: Connection) -> None:
    """Scan as planned until the parent says anything, or is gone; what happens is told to it."""
    stopping = threading.Event()
    threading.Thread(target=_wait_for_the_word, args=(parent, stopping), daemon=True).start()
    try:
        asyncio.run(ScanningDevices(plan, parent.send, stopping).scan())
    except BaseException as error:  # noqa: BLE001 - told to the parent
        parent.send(Failed(repr(error)))
    finally:
        parent.close()


def _wait_for_the_word(parent: Connection, stopping: threading.Event) -> None:
    with contextlib.suppress(EOFError, OSError):
        parent.recv()
    stopping.set()


class ScanningDevices:
    """Devices that scan until they are told to stop, and then until everything that they asked is decided."""

    def __init__(self, plan: Plan, tell: Callable[[Event], None], stopping: threading.Event) -> None:
        self._plan = plan
        self._tell = tell
        self._stopping = stopping
        self._signer = PassSigner(plan.key_dir)
        self._chance = random.Random(4)  # noqa: S311 - no secret

    async def scan(self) -> None:
        """Members come to all doors; every scan, decision and delay is told."""
        began_at = time.monotonic()
        self._tell(Began(began_at))
        async with self._client() as client, asyncio.TaskGroup() as doors:
            devices = self._plan.gyms.devices
            for number, device in enumerate(devices):
                first = began_at + self._plan.every_s * number / len(devices)
                doors.create_task(self._door(client, device, first, clock_off(devices, device)))
            doors.create_task(self._watch_itself())

    async def ask_all(self, scans: Iterable[Scan]) -> list[ScanAnswer]:
        """Put scans one after another."""
        async with self._client() as client:
            return [await self._ask(client, scan) for scan in scans]

    async def _watch_itself(self) -> None:
        while not self._stopping.is_set():
            due_at = time.monotonic() + _LOOKS_EVERY_S
            await asyncio.sleep(_LOOKS_EVERY_S)
            self._tell(Stall(due_at, time.monotonic() - due_at))

    def _client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, keepalive_expiry=20)
        return httpx.AsyncClient(base_url=self._plan.url, timeout=self._plan.give_up_s, limits=limits, trust_env=False)

    async def _door(self, client: httpx.AsyncClient, device: Device, due_at: float, ahead: timedelta) -> None:
        while not self._stopping.is_set():
            wait_s = due_at - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif not self._plan.queues:
                due_at = time.monotonic()
            scan = self._scan(device, ahead)
            answer = await self._ask(client, scan)
            self._tell(Decided(scan, due_at, time.monotonic(), answer))
            due_at += self._plan.every_s

    def _scan(self, device: Device, ahead: timedelta) -> Scan:
        now = datetime.now(UTC)
        code = self._signer.sign(self._chance.choice(self._plan.gyms.members), issue_times(now)[0])
        body = {
            "code": code,
            "gate_id": str(device.gate_id),
            "direction": "enter" if self._chance.random() < _ENTERS else "leave",
            "scan_id": str(uuid4()),
            "scanned_at": (now + ahead).isoformat(),
        }
        return Scan(device, body)

    async def _ask(self, client: httpx.AsyncClient, scan: Scan) -> ScanAnswer:
        """Put a scan until it is decided."""
        give_up = time.monotonic() + PATIENCE_S
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
                self._tell(Given(scan.asked, answer))
                return answer
            retry_after = response.headers.get("retry-after")
            self._note(scan, asked_at, response.status_code, _problem(response), retry_after)
            await asyncio.sleep(float(retry_after or 0.2))

    def _note(self, scan: Scan, asked_at: float, status: int, code: str = "", retry_after: str | None = None) -> None:
        took_s = time.monotonic() - asked_at
        self._tell(Said(scan.body["scan_id"], asked_at, took_s, status, code, retry_after))


def clock_off(devices: Sequence[Device], device: Device) -> timedelta:
    """By how much the clock of one of these devices is ahead of the server's."""
    return timedelta(seconds=_CLOCKS_OFF_S[devices.index(device) % len(_CLOCKS_OFF_S)])


def _problem(response: httpx.Response) -> str:
    """The problem's code; what a proxy says of itself where the gateway did not speak."""
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        return str(response.json()["code"])
    return f"not the gateway's own: {response.text[:80]!r}"
