from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.migrations.run import upgrade
from domain.unit_of_work import Store
from tests.unit.gateway.rig import Rig
from tests.world import World


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("schema") / "empty.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path.read_bytes()


@pytest.fixture
def world(empty_database: bytes, tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "gym.sqlite3"
    path.write_bytes(empty_database)
    store = Store(f"sqlite:///{path}")
    yield World(store)
    store.close()


@pytest.fixture
async def rig(world: World) -> AsyncIterator[Rig]:
    rig = Rig(world)
    async with rig.client:
        yield rig
