"""One gym system for each test: a migrated database of its own on MariaDB, topics of its own on Kafka."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from domain.unit_of_work import Store
from integrations.settings import DatabaseSettings, Settings
from tests.faults.consumer_process import Point
from tests.faults.door_client import consumer
from tests.faults.figures import Figures
from tests.forked import LoggedProcess
from tests.servers import emptied_topics, migrated_database
from tests.world import ManualClock, World

StartConsumer = Callable[..., LoggedProcess]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(mariadb: MariaDbServer, kafka: KafkaServer) -> Settings:
    """A killed consumer is missed after two seconds, so that tests need not wait for six."""
    url = migrated_database(mariadb)
    topics = emptied_topics(kafka).model_copy(update={"session_timeout_ms": 2000})
    return Settings(kafka=topics, database=DatabaseSettings(url=SecretStr(url), statement_timeout_s=2))


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    store = Store(settings.database.url.get_secret_value(), pool_size=2)
    yield World(store, ManualClock(datetime.now(UTC)))
    store.close()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database.url.get_secret_value(), pool_size=2)
    yield store
    store.close()


@pytest.fixture
def start_consumer(settings: Settings, tmp_path: Path) -> Iterator[StartConsumer]:
    """Starts consumers, and ends them after the test."""
    started: list[LoggedProcess] = []

    def start(point: Point = Point.NOWHERE, after: int = 0) -> LoggedProcess:
        started.append(consumer(settings, tmp_path / f"consumer-{len(started)}.log", point, after))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Where a test tells what it measured."""
    return Figures(record_property)
