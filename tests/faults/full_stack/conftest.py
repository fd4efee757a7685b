"""One stack for all tests of this folder that run together: its start costs more than any of them."""

from collections.abc import Iterator

import pytest

from cluster.local.install import install_servers
from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from domain.clock import system_clock
from domain.unit_of_work import Store
from tests.faults.full_stack.full_stack import Whole
from tests.faults.gyms import load
from tests.servers import fresh_database, fresh_topics, server_folder
from tests.stacks import TestedStack


@pytest.fixture(scope="package")
def whole() -> Iterator[Whole]:
    """A stack of the full profile on durable servers of its own, which no supervisor starts again."""
    install_servers()
    with (
        server_folder() as folder,
        MariaDbServer(folder / "mariadb") as mariadb,
        KafkaServer(folder / "kafka", heap="512m") as kafka,
    ):
        url = fresh_database(mariadb)
        topics = fresh_topics(kafka, partitions=16)
        # Wrong passwords are tried from one address here, more often than anybody may.
        environment = {
            "FITMONITOR_DATABASE__URL": url,
            "FITMONITOR_IDENTITY__FAILED_ATTEMPTS_BEFORE_DELAY_PER_ADDRESS": "100000",
            "FITMONITOR_LIVE__ENABLED": "true",
        } | {f"FITMONITOR_KAFKA__{name}".upper(): str(value) for name, value in topics.model_dump().items()}
        own = folder / "stack"
        own.mkdir()
        stack = TestedStack(own, profile="full", environment=environment)
        store = Store(url, pool_size=2)
        try:
            stack.start()
            with store.writing() as connection:
                gyms = load(connection, system_clock())
            yield Whole(stack, mariadb, kafka, topics, store, gyms)
        finally:
            stack.down()
            store.close()
