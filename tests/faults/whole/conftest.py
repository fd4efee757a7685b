"""One stack for all tests of this folder: its start costs more than any of them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from domain.clock import system_clock
from domain.unit_of_work import Store
from tests.faults.gyms import load
from tests.faults.whole.system import Whole
from tests.servers import fresh_database, fresh_topics
from tests.stacks import TestedStack


@pytest.fixture(scope="package")
def whole(mariadb: MariaDbServer, kafka: KafkaServer) -> Iterator[Whole]:
    """A stack of the full profile on the tests' own servers, which no supervisor starts again."""
    folder = Path(tempfile.mkdtemp(prefix="fm-whole-"))
    url = fresh_database(mariadb)
    topics = fresh_topics(kafka, partitions=16)
    # Wrong passwords are tried from one address here, more often than anybody may.
    environment = {
        "FITMONITOR_DATABASE__URL": url,
        "FITMONITOR_IDENTITY__FREE_ATTEMPTS_OF_ADDRESS": "100000",
        "FITMONITOR_LIVE__ENABLED": "true",
    } | {f"FITMONITOR_KAFKA__{name}".upper(): str(value) for name, value in topics.model_dump().items()}
    stack = TestedStack(folder, profile="full", environment=environment)
    store = Store(url, pool_size=2)
    try:
        stack.start()
        with store.writing() as connection:
            gyms = load(connection, system_clock())
        yield Whole(stack, mariadb, kafka, store, gyms)
    finally:
        stack.down()
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
