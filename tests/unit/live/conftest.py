from collections.abc import AsyncIterator

import pytest

from tests.unit.gateway.conftest import anyio_backend, world
from tests.unit.gateway.rig import Rig
from tests.unit.live.replica import Replica
from tests.world import World

__all__ = ["anyio_backend", "world"]


@pytest.fixture
async def replica(world: World) -> AsyncIterator[Replica]:
    replica = Replica(Rig(world))
    async with replica.rig.client:
        yield replica
        await replica.close()
