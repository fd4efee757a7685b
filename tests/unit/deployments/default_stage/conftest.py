from collections.abc import AsyncIterator

import pytest

from tests.unit.deployments.default_stage.web_client import Stage
from tests.unit.deployments.harness import Harness
from tests.world import World


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    stage = Stage(Harness(world))
    async with stage.harness.client, stage.client:
        yield stage
