from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.deployments.harness import Harness
from tests.world import World


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def harness(world: World) -> AsyncIterator[Harness]:
    """Gateway and scanner on fakes, and a client of both."""
    harness = Harness(world)
    async with harness.client:
        yield harness
