from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cluster.installation import Installation


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path)
    yield installation
    installation.provider.close()
