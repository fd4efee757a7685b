from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import sqlite_store
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Gyms and members on an SQLite store of the test's own."""
    store = sqlite_store(tmp_path)
    yield World(store)
    store.close()
