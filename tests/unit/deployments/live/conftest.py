from collections.abc import AsyncIterator

import pytest

from tests.unit.deployments.conftest import anyio_backend, world
from tests.unit.deployments.harness import Harness
from tests.unit.deployments.live.replica import Replica
from tests.world import World

__all__ = ["anyio_backend", "world"]


@pytest.fixture
async def replica(world: World) -> AsyncIterator[Replica]:
    replica = Replica(Harness(world))
    async with replica.harness.client:
        yield replica
        await replica.close()
