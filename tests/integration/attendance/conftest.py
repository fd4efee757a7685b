from pathlib import Path

import pytest

from cluster.local.mariadb import MariaDbServer
from tests.servers import migrate, migrated_database


@pytest.fixture(params=["sqlite", "mariadb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated store of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'fitmonitor.sqlite3'}"
        migrate(url)
        return url
    server: MariaDbServer = request.getfixturevalue("mariadb")
    return migrated_database(server)
