from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.integrations.local_identity.harness import ProviderHarness


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProviderHarness]:
    harness = ProviderHarness(tmp_path)
    yield harness
    harness.provider.close()
