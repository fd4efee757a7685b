"""The embedded store has no room left, and has some again."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, event, func, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection

from cluster.local.kafka import KafkaServer
from consumers.door import DoorConsumerDependencies
from domain.door.model import Direction, Outcome, Reason, ScanAnswer
from domain.door.tables import scans
from domain.unit_of_work import Store
from integrations.settings import DatabaseSettings, Settings
from tests.faults.door_client import door, patient
from tests.faults.invariants import assert_invariants
from tests.servers import fresh_topics, migrate
from tests.waiting import eventually
from tests.world import ManualClock, World

pytestmark = [pytest.mark.check, pytest.mark.anyio, pytest.mark.timeout(280)]

_PLENTY = 1_000_000


class Disk:
    """Room for the file of an engine. At its end SQLite says what it says when the file system has none."""

    def __init__(self, engine: Engine) -> None:
        self.is_full = False
        self.refusals = 0
        event.listen(engine, "checkout", self._limit)
        event.listen(engine, "handle_error", self._count)

    def _limit(self, connection: DBAPIConnection, *_: object) -> None:
        cursor = connection.cursor()
        # SQLite takes a figure below the present size for that size: not one page more.
        cursor.execute(f"PRAGMA max_page_count={1 if self.is_full else _PLENTY}")
        cursor.close()

    def _count(self, context: ExceptionContext) -> None:
        assert str(context.original_exception) == "database or disk is full"
        self.refusals += 1


@pytest.fixture
def settings(kafka: KafkaServer, tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    migrate(url)
    return Settings(kafka=fresh_topics(kafka), database=DatabaseSettings(url=SecretStr(url)))


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    store = Store(settings.database.url.get_secret_value(), pool_size=2)
    yield World(store, ManualClock(datetime.now(UTC)))
    store.close()


@pytest.fixture
def parts(settings: Settings) -> Iterator[DoorConsumerDependencies]:
    parts = DoorConsumerDependencies(settings)
    yield parts
    parts.close()


async def test_scans_wait_for_room_and_none_is_written_by_half(
    settings: Settings, world: World, parts: DoorConsumerDependencies
) -> None:
    gyms = [world.gym(capacity=20) for _ in range(4)]
    scans_of = [
        world.scan(gyms[n % 4], world.code(member), Direction.ENTER)
        for n, member in enumerate(world.members(300, days=3650))
    ]
    requests = [patient(request) for request in scans_of[:299]]
    impatient = scans_of[299]
    disk = Disk(parts.store.engine)
    loop = parts.build_loop()
    loop.start()
    async with door(settings) as the_door:
        await the_door.ask_all(requests[:50])
        disk.is_full = True
        asking = the_door.starts_asking(requests[50:])
        await eventually(lambda: disk.refusals > 3)
        late = asyncio.create_task(the_door.ask(impatient))
        await eventually(lambda: datetime.now(UTC) > impatient.decide_by)
        refusals = disk.refusals
        await eventually(lambda: disk.refusals > refusals)
        assert len(the_door.given) < 300
        assert_invariants(world.store, the_door.given)
        assert _stored(world) == len(the_door.given), "decided and not told, or half of a batch"
        disk.is_full = False
        await asking
        refused = await late
        await the_door.ask_all(requests)
    assert loop.alive
    assert loop.stop(30)
    assert loop.stats.dead_letters == 0
    assert isinstance(refused, ScanAnswer)
    assert refused.reason is Reason.TOO_LATE
    assert Counter(answers[0].outcome for answers in the_door.given.values())[Outcome.ENTERED] == 80
    assert_invariants(world.store, the_door.given)


def _stored(world: World) -> int:
    with world.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(scans)).scalar_one()
