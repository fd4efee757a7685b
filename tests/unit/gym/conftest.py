from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.unit_of_work import Store
from tests.servers import migrate
from tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'gym.sqlite3'}"
    migrate(url)
    store = Store(url)
    yield World(store)
    store.close()
