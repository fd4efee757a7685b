from collections.abc import AsyncIterator

import pytest

from tests.unit.deployments.harness import Harness
from tests.unit.deployments.live.replica import Replica
from tests.world import World


@pytest.fixture
async def replica(world: World) -> AsyncIterator[Replica]:
    replica = Replica(Harness(world))
    async with replica.harness.client:
        yield replica
        await replica.close()
