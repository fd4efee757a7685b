"""Real servers for tests: one MariaDB and one Kafka for the whole run, fresh databases and topics within them."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.bring import bring
from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from cluster.local.topics import create_topics
from integrations.settings import KafkaSettings


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    # Not pytest's own temporary folder: that is closed to the user that MariaDB runs as.
    folder = Path(tempfile.mkdtemp(prefix="fm-servers-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb(server_dir: Path) -> Iterator[MariaDbServer]:
    """A running MariaDB. A test that kills it starts it again before it ends."""
    bring()
    with MariaDbServer(server_dir / "mariadb") as server:
        yield server


@pytest.fixture(scope="session")
def kafka(server_dir: Path) -> Iterator[KafkaServer]:
    """A running Kafka. A test that kills it starts it again before it ends."""
    bring()
    with KafkaServer(server_dir / "kafka", heap="512m") as server:
        yield server


def fresh_database(mariadb: MariaDbServer) -> str:
    """Create an empty database on the server.

    Returns:
        Its SQLAlchemy address, `mysql+pymysql://…`.
    """
    return mariadb.create_database(f"fitmonitor_{uuid.uuid4().hex}")


def fresh_topics(kafka: KafkaServer, partitions: int = 8) -> KafkaSettings:
    """Create a set of topics and a consumer group of one's own on the server.

    Args:
        kafka: the running server.
        partitions: partitions of the commands and of the replies.
    """
    mark = uuid.uuid4().hex[:12]
    names = KafkaSettings(
        bootstrap_servers=kafka.bootstrap_servers,
        commands_topic=f"door-commands-{mark}",
        replies_topic=f"door-replies-{mark}",
        events_topic=f"gym-events-{mark}",
        payments_topic=f"payment-events-{mark}",
        dead_letters_topic=f"dead-letters-{mark}",
        door_group=f"door-consumers-{mark}",
        payments_group=f"payment-consumers-{mark}",
        commands_partitions=partitions,
        replies_partitions=partitions,
    )
    create_topics(kafka.bootstrap_servers, names)
    return names
