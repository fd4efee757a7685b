from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.load.seeding import WorldSpec, seed
from cluster.load.world import BENCHMARK_SHARES, World
from domain.ids import new_id
from domain.unit_of_work import Store
from tests.stores import sqlite_store

NOW = datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = sqlite_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def world(store: Store) -> World:
    return seeded(store)


def seeded(store: Store) -> World:
    return seed(store, WorldSpec("Bench", [120] * 3, 120, 16, BENCHMARK_SHARES, run=new_id().hex), NOW)
