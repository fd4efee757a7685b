"""The archive's replica on the embedded parts: the mock broker, a database file, a folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from confluent_kafka import Producer
from msgspec import json
from pydantic import SecretStr

from consumers.archive_deployment import ArchiveConsumer
from consumers.health import ConsumerUnhealthyError
from domain.attendance.facts import FactTable
from integrations.archive.delta_table import DeltaStore
from integrations.archive.reading import facts
from integrations.settings import ArchiveSettings, DatabaseSettings, KafkaSettings, Settings
from tests.integration.kafka.conftest import mock_topics
from tests.servers import migrate
from tests.unit.consumers.archive_parts import NOON, entered
from tests.waiting import wait_until


@pytest.fixture
def settings(mock_kafka: str, tmp_path: Path) -> Iterator[Settings]:
    url = f"sqlite:///{tmp_path / 'door.sqlite3'}"
    migrate(url)
    kafka = mock_topics(mock_kafka)
    yield Settings(
        kafka=kafka.model_copy(update={"archive_group": f"archive-{kafka.events_topic}"}),
        database=DatabaseSettings(url=SecretStr(url)),
        archive=ArchiveSettings(url=str(tmp_path / "archive"), linger_s=0.1),
    )
    structlog.reset_defaults()


def test_a_replica_archives_events_until_it_stops(settings: Settings) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers})
    producer.produce(settings.kafka.events_topic, json.encode(entered(None)), key="gym")
    assert producer.flush(30) == 0
    replica = ArchiveConsumer(settings)
    archive = DeltaStore(settings.archive)
    wait_until(lambda: facts(archive, FactTable.VISITS, NOON.date(), NOON.date()).collect().height == 1)
    replica.check_health()
    replica.__del__()
    with pytest.raises(ConsumerUnhealthyError):
        replica.check_health()


def test_a_replica_starts_and_stops_while_kafka_is_unavailable(settings: Settings) -> None:
    unavailable = settings.model_copy(update={"kafka": KafkaSettings(bootstrap_servers="127.0.0.1:1")})
    replica = ArchiveConsumer(unavailable)
    replica.check_health()
    replica.__del__()


def test_a_replica_without_an_archive_does_nothing(settings: Settings) -> None:
    replica = ArchiveConsumer(settings.model_copy(update={"archive": ArchiveSettings()}))
    replica.check_health()
    assert replica.record_autoscaling_stats() == {"lag": 0.0, "handled": 0.0, "busy_s": 0.0}
    replica.__del__()
