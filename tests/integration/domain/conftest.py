from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.mariadb import MariaDbServer
from domain.migrations.run import upgrade
from domain.unit_of_work import Store
from tests.servers import fresh_database
from tests.world import World


@pytest.fixture(params=["sqlite", "mariadb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated store of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
    else:
        server: MariaDbServer = request.getfixturevalue("mariadb")
        url = fresh_database(server)
    upgrade(url)
    return url


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    store = Store(store_url)
    yield World(store)
    store.close()
