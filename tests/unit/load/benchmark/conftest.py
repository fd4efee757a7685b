from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.load.seeding import load
from cluster.load.world import BenchWorld
from domain.unit_of_work import Store
from tests.stores import sqlite_store

NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = sqlite_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def bench_world(store: Store) -> BenchWorld:
    return loaded(store)


def loaded(store: Store) -> BenchWorld:
    with store.writing() as connection:
        return load(connection, number_of_gyms=3, number_of_members=120, now=NOW)
