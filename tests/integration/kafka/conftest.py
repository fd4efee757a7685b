"""The mock broker and Apache Kafka. Every test with the fixture `settings` runs on both."""

import uuid
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from integrations.settings import KafkaSettings, Settings
from tests.servers import emptied_topics


@pytest.fixture(scope="session")
def mock_kafka() -> Iterator[str]:
    """The address of librdkafka's mock broker, which lives inside its producer."""
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 0, "error_cb": lambda _error: None})
    yield ",".join(f"{b.host}:{b.port}" for b in broker.list_topics("started", timeout=10).brokers.values())
    broker.flush(0)


@pytest.fixture(params=["mock", "kafka"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Topics and a group for one test, on each broker."""
    if request.param == "kafka":
        return Settings(kafka=emptied_topics(request.getfixturevalue("kafka")))
    return Settings(kafka=mock_topics(request.getfixturevalue("mock_kafka")))


def mock_topics(bootstrap_servers: str) -> KafkaSettings:
    mark = uuid.uuid4().hex[:12]
    return KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        commands_topic=f"door-commands-{mark}",
        replies_topic=f"door-replies-{mark}",
        events_topic=f"gym-events-{mark}",
        payments_topic=f"payment-events-{mark}",
        dead_letters_topic=f"dead-letters-{mark}",
        door_group=f"door-consumers-{mark}",
    )
