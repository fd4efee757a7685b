from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.unit_of_work import Store
from tests.servers import migrate
from tests.unit.gateway.rig import Rig
from tests.world import World


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'gym.sqlite3'}"
    migrate(url)
    store = Store(url)
    yield World(store)
    store.close()


@pytest.fixture
async def rig(world: World) -> AsyncIterator[Rig]:
    rig = Rig(world)
    async with rig.client:
        yield rig
