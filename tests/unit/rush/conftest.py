"""A door over a store of SQLite, asked by HTTP's shapes, so that a rush can be played without a stack."""

import asyncio
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

from cluster.bench.codes import Code
from cluster.bench.responses import Response
from cluster.rush.loading import set_up
from cluster.rush.people import capacities, plan_people
from cluster.rush.rush import Wish
from domain.door.model import Direction, DoorLimits, PassReading, PassStatus, ScanAnswer, ScanRequest
from domain.door.service import decide_batch
from domain.gyms.rules import hash_secret, read_credential
from domain.gyms.tables import gate_devices, gates
from domain.passes import status_of
from domain.tables import metadata
from domain.unit_of_work import Store
from tests.world import START

Answering = Callable[[bytes, ScanAnswer], Response]
WISH = Wish(members=80, gyms=2, minutes=10, speed=600, seed=3, leave_inside=False)


class PlainSigns:
    """Writes what a code is, for a door that believes it."""

    def sign(self, code: Code) -> str:
        return msgspec.json.encode((code.member_id, code.issued_at, code.forged)).decode()


def as_told(_body: bytes, answer: ScanAnswer) -> Response:
    return Response(200, msgspec.json.encode(answer), closes=False)


def ask_again(_body: bytes, _answer: ScanAnswer) -> Response:
    return Response(503, b"", closes=False)


class StoreDoor:
    """Decides scans as the stack does.

    Args:
        clock: by which it decides.
        answering: what becomes of an answer on its way to the device.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], answering: Answering = as_told) -> None:
        self._store = store
        self._clock = clock
        self._answering = answering

    async def post(self, content: bytes, shown: str) -> tuple[Response, float]:
        sent = asyncio.get_running_loop().time()
        await asyncio.sleep(0)
        body = msgspec.json.decode(content)
        credential = read_credential(shown)
        assert credential is not None
        with self._store.writing() as connection:
            device, secret = credential
            query = select(gate_devices, gates.c.gym_id).join(gates, gates.c.id == gate_devices.c.gate_id)
            row = connection.execute(query.where(gate_devices.c.id == device)).one()
            if row.secret_hash != hash_secret(secret) or row.revoked_at is not None:
                return Response(401, b"unknown device", closes=False), sent
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
        return self._answering(content, answer), sent


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
    """A store with the gyms and members of `WISH`: each rush finds them there, as a second rush does."""
    file = tmp_path_factory.mktemp("rush") / "rush.sqlite3"
    store = _opened(file)
    metadata.create_all(store.engine)
    visitors = plan_people(WISH.members, WISH.gyms, WISH.minutes, WISH.seed)
    set_up(store, capacities(visitors, WISH.gyms, WISH.minutes), WISH.members, START, lambda _: None)
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
