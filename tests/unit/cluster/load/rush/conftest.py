"""A door over a store of SQLite that takes HTTP requests, so that a rush runs without a stack."""

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import event, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from cluster.load.http_client import Exchange, Response
from cluster.load.passes import Pass
from cluster.load.rush.rush import spec_of
from cluster.load.rush.visitors import RushOptions, plan_visitors
from cluster.load.seeding import seed
from domain.door.model import Direction, DoorLimits, PassReading, PassStatus, ScanAnswer, ScanRequest
from domain.door.service import decide_batch
from domain.gyms.rules import hash_secret, read_credential
from domain.gyms.tables import gate_devices, gates
from domain.passes import status_of
from domain.tables import metadata
from domain.unit_of_work import Store
from tests.world import START

ResponseSender = Callable[[bytes, ScanAnswer], Response]
OPTIONS = RushOptions(members=80, gyms=2, minutes=10, speed=600, seed=3, leave_inside=False)


def unsigned(shown: Pass) -> str:
    """The content of a pass, for a door that believes it."""
    return msgspec.json.encode((shown.member_id, shown.issued_at, shown.forged)).decode()


def unchanged(_body: bytes, answer: ScanAnswer) -> Response:
    return Response(200, msgspec.json.encode(answer), closes=False)


def retry_later(_body: bytes, _answer: ScanAnswer) -> Response:
    return Response(503, b"", closes=False)


class StoreDoor:
    """Decides scans as the stack does.

    Args:
        clock: by which it decides.
        answering: what becomes of an answer on its way to the device.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], answering: ResponseSender = unchanged) -> None:
        self._store = store
        self._clock = clock
        self._answering = answering

    async def exchange(self, content: bytes) -> Exchange:
        sent = asyncio.get_running_loop().time()
        await asyncio.sleep(0)
        head, _, content = content.partition(b"\r\n\r\n")
        [shown] = re.findall(r"\r\nAuthorization: Device (\S+)\r\n", head.decode())
        response = self._decided(content, shown)
        return Exchange(response, sent, asyncio.get_running_loop().time())

    def _decided(self, content: bytes, shown: str) -> Response:
        body = msgspec.json.decode(content)
        credential = read_credential(shown)
        assert credential is not None
        with self._store.writing() as connection:
            device, secret = credential
            query = select(gate_devices, gates.c.gym_id).join(gates, gates.c.id == gate_devices.c.gate_id)
            row = connection.execute(query.where(gate_devices.c.id == device)).one()
            if row.secret_hash != hash_secret(secret) or row.revoked_at is not None:
                return Response(401, b"unknown device", closes=False)
            scan = ScanRequest(
                scan_id=body["scan_id"],
                asked_by=device,
                gym_id=row.gym_id,
                gate_id=UUID(body["gate_id"]),
                direction=Direction(body["direction"]),
                reading=_reading(body["code"], self._clock()),
                arrived_at=self._clock(),
                decide_by=self._clock() + timedelta(seconds=1.8),
            )
            [answer] = decide_batch(connection, [scan], self._clock, DoorLimits())
        assert isinstance(answer, ScanAnswer)
        return self._answering(content, answer)


def _reading(code: str, now: datetime) -> PassReading:
    member_id, issued_at, forged = msgspec.json.decode(code)
    if forged:
        return PassReading(PassStatus.FORGED)
    issued = msgspec.convert(issued_at, type=datetime)
    return PassReading(status_of(issued, now), UUID(member_id), issued)


def _without_syncing(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Nothing is to survive the machine, and thousands of scans are waited for."""
    connection.cursor().execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="session")
def set_up_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the gyms and members of `OPTIONS`: each rush finds them there, as a second rush does."""
    file = tmp_path_factory.mktemp("rush") / "rush.sqlite3"
    store = _opened(file)
    metadata.create_all(store.engine)
    visitors = plan_visitors(OPTIONS.members, OPTIONS.gyms, OPTIONS.minutes, OPTIONS.seed)
    seed(store, spec_of(OPTIONS, visitors), START)
    store.close()
    return file


@pytest.fixture
def store(tmp_path: Path, set_up_file: Path) -> Iterator[Store]:
    file = tmp_path / set_up_file.name
    shutil.copy(set_up_file, file)
    opened = _opened(file)
    yield opened
    opened.close()


def _opened(file: Path) -> Store:
    store = Store(f"sqlite:///{file}", pool_size=1)
    event.listen(store.engine, "connect", _without_syncing)
    return store
