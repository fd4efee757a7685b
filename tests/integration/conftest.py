from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.mariadb import MariaDbServer
from domain.unit_of_work import Store
from tests.servers import fresh_database, migrate, migrated_database
from tests.stores import store_at
from tests.world import World


@pytest.fixture(params=["sqlite", "mariadb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated store of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
        migrate(url)
        return url
    server: MariaDbServer = request.getfixturevalue("mariadb")
    return migrated_database(server)


@pytest.fixture(params=["sqlite", "mariadb"])
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind without tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
    else:
        server: MariaDbServer = request.getfixturevalue("mariadb")
        url = fresh_database(server)
    store = Store(url)
    yield store
    store.close()


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    store = store_at(store_url)
    yield World(store)
    store.close()
