from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.bench.loading import load
from cluster.bench.world import BenchWorld
from domain.tables import metadata
from domain.unit_of_work import Store

NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'bench.sqlite3'}")
    metadata.create_all(opened.engine)
    yield opened
    opened.close()


@pytest.fixture
def bench_world(store: Store) -> BenchWorld:
    return loaded(store)


def loaded(store: Store) -> BenchWorld:
    with store.writing() as connection:
        return load(connection, number_of_gyms=3, number_of_members=120, now=NOW)
