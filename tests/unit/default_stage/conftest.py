from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores import sqlite_store
from tests.unit.default_stage.stage import Stage
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
async def stage(world: World) -> AsyncIterator[Stage]:
    stage = Stage(Rig(world))
    async with stage.rig.client, stage.client:
        yield stage
