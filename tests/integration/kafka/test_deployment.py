from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from consumers.door_deployment import DoorConsumer
from consumers.health import ConsumerUnhealthyError
from integrations.settings import DatabaseSettings, KafkaSettings, Settings
from tests.integration.kafka.conftest import mock_topics
from tests.servers import migrate


@pytest.fixture
def settings(mock_kafka: str, tmp_path: Path) -> Iterator[Settings]:
    url = f"sqlite:///{tmp_path / 'door.sqlite3'}"
    migrate(url)
    yield Settings(kafka=mock_topics(mock_kafka), database=DatabaseSettings(url=SecretStr(url)))
    structlog.reset_defaults()


def test_a_replica_is_healthy_until_its_consumer_ends(settings: Settings) -> None:
    replica = DoorConsumer(settings)
    replica.check_health()
    assert replica.record_autoscaling_stats() == {"lag": 0.0, "handled": 0.0, "busy_s": 0.0}
    replica.__del__()
    with pytest.raises(ConsumerUnhealthyError):
        replica.check_health()
    replica.__del__()  # Serve calls it, and then Python


def test_a_replica_starts_and_stops_while_kafka_is_unavailable(settings: Settings) -> None:
    unavailable = settings.model_copy(update={"kafka": KafkaSettings(bootstrap_servers="127.0.0.1:1")})
    replica = DoorConsumer(unavailable)
    replica.check_health()
    replica.__del__()
