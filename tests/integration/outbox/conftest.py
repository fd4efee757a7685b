"""The outbox on SQLite with the mock broker, and on MariaDB with Apache Kafka."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from domain.unit_of_work import Store
from integrations.settings import DatabaseSettings, KafkaSettings, Settings
from tests.integration.kafka.conftest import mock_kafka, mock_topics
from tests.servers import emptied_topics
from tests.world import World

__all__ = ["mock_kafka"]


@pytest.fixture(params=["mock", "kafka"])
def topics(request: pytest.FixtureRequest) -> KafkaSettings:
    """Topics for one test, on each broker."""
    if request.param == "kafka":
        return emptied_topics(request.getfixturevalue("kafka"))
    return mock_topics(request.getfixturevalue("mock_kafka"))


@pytest.fixture
def settings(store_url: str, request: pytest.FixtureRequest) -> Settings:
    """SQLite with the mock broker, MariaDB with Kafka."""
    if store_url.startswith("sqlite"):
        topics = mock_topics(request.getfixturevalue("mock_kafka"))
    else:
        topics = emptied_topics(request.getfixturevalue("kafka"))
    return Settings(kafka=topics, database=DatabaseSettings(url=SecretStr(store_url)))


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    store = Store(store_url)
    yield store
    store.close()


@pytest.fixture
def world(store: Store) -> World:
    return World(store)
