from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import sqlite_store
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = sqlite_store(tmp_path)
    yield World(store)
    store.close()
