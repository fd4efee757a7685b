from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores import sqlite_store
from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.harness import Harness
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
    stage = Stage(Harness(world))
    async with stage.harness.client, stage.client:
        yield stage
