"""The whole path, embedded and on real servers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.integration.door.scan_pipeline import ScanPipeline, scan_pipeline
from tests.integration.kafka.conftest import mock_kafka, mock_topics
from tests.servers import fresh_topics, migrate, migrated_database

__all__ = ["mock_kafka"]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """An event loop that lives from one example to the next."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", params=["embedded", "real"])
def path(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ScanPipeline]:
    """The whole path for all tests of a module."""
    folder: Path = tmp_path_factory.mktemp("whole-path")
    if request.param == "embedded":
        url = f"sqlite:///{folder / 'gym.sqlite3'}"
        migrate(url)
        kafka = mock_topics(request.getfixturevalue("mock_kafka"))
        # The mock broker makes a topic when a producer asks about it; a consumer that asks first waits for long.
        asking = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        for topic in (kafka.commands_topic, kafka.replies_topic, kafka.dead_letters_topic):
            asking.list_topics(topic, timeout=10)
    else:
        url = migrated_database(request.getfixturevalue("mariadb"))
        kafka = fresh_topics(request.getfixturevalue("kafka"))
    opened = scan_pipeline(url, kafka, folder)
    path = runner.run(opened.__aenter__())
    yield path
    runner.run(opened.__aexit__(None, None, None))
