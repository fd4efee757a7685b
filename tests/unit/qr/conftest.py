from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores import sqlite_store
from tests.unit.gateway.rig import Rig
from tests.world import World


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = sqlite_store(tmp_path)
    yield World(store)
    store.close()


@pytest.fixture
async def rig(world: World) -> AsyncIterator[Rig]:
    rig = Rig(world)
    async with rig.client:
        yield rig
