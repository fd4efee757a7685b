from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.tables import metadata
from domain.unit_of_work import Store
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{tmp_path / 'door.sqlite3'}")
    metadata.create_all(store.engine)
    yield World(store)
    store.close()
