from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.local.mariadb import MariaDbServer
from tests.servers import fresh_database


@pytest.fixture
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Addresses of empty stores of a kind."""
    made: list[str] = []

    def new(kind: str) -> str:
        if kind == "sqlite":
            made.append(f"sqlite:///{tmp_path / f'{len(made)}.sqlite3'}")
        else:
            server: MariaDbServer = request.getfixturevalue("mariadb")
            made.append(fresh_database(server))
        return made[-1]

    return new
