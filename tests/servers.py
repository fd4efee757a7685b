"""Real servers for tests: one MariaDB and one Kafka for a whole run, and in them what a test needs.

`make test`, `make check` and `make soak` start both once and name their folder in the environment, so that all workers
share them. A pytest that is started by hand starts what it needs for itself. Nobody stops or kills a shared server: a
test that does has servers of its own (`own_mariadb`, `own_kafka`).
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]
from sqlalchemy import Connection, create_engine, make_url, text

from cluster.local.install import install_servers
from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from cluster.local.topics import create_topics
from domain.migrations.run import upgrade
from integrations.kafka.leader_retry import retry_until_leader
from integrations.settings import KafkaSettings

KAFKA_PATIENCE_S = 30.0
# Where the servers of a whole run have their folders; each keeps its port in a file there.
SHARED = "FM_TEST_SERVERS"
# MariaDB's files and Kafka's logs of the longest run, with room to spare.
_ENOUGH_BYTES = 4 * 1024**3
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for servers that the user `mysql` may pass through; in memory where the machine has enough of it."""
    in_memory = os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free >= _ENOUGH_BYTES
    folder = Path(tempfile.mkdtemp(prefix="fm-servers-", dir=_IN_MEMORY if in_memory else None))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def shared_servers() -> Iterator[dict[str, str]]:
    """Servers for a whole run; yields the environment by which its workers find them."""
    install_servers()
    with server_folder() as folder, ExitStack() as stack:
        mariadb = MariaDbServer(folder / "mariadb", durable=False)
        kafka = KafkaServer(folder / "kafka", heap="768m")
        for server in (mariadb, kafka):
            server.launch()
            stack.callback(server.stop)
        for server in (mariadb, kafka):
            server.wait()
            (server.data_dir / "port").write_text(str(server.port), encoding="utf-8")
        yield {SHARED: str(folder)}


def _shared(name: str) -> tuple[Path, int] | None:
    """Folder and port of a shared server, where there is one."""
    if SHARED not in os.environ:
        return None
    folder = Path(os.environ[SHARED]) / name
    return folder, int((folder / "port").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def server_dir() -> Iterator[Path]:
    with server_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDbServer]:
    """A running MariaDB that many tests share, without fsync."""
    if shared := _shared("mariadb"):
        yield MariaDbServer(*shared)
        return
    install_servers()
    with MariaDbServer(request.getfixturevalue("server_dir") / "mariadb", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[KafkaServer]:
    """A running Kafka that many tests share."""
    if shared := _shared("kafka"):
        yield KafkaServer(*shared)
        return
    install_servers()
    with KafkaServer(request.getfixturevalue("server_dir") / "kafka", heap="512m") as server:
        yield server


@pytest.fixture(scope="module")
def own_mariadb() -> Iterator[MariaDbServer]:
    """A durable MariaDB for a module that stops or kills it. A test starts it again before it ends."""
    install_servers()
    with server_folder() as folder, MariaDbServer(folder / "mariadb") as server:
        yield server


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[KafkaServer]:
    """A Kafka for a module that stops or kills it. A test starts it again before it ends."""
    install_servers()
    with server_folder() as folder, KafkaServer(folder / "kafka", heap="512m") as server:
        yield server


def fresh_database(mariadb: MariaDbServer) -> str:
    """Create an empty database without tables on the server.

    Returns:
        Its SQLAlchemy address, `mysql+pymysql://…`.
    """
    return mariadb.create_database(f"fitmonitor_{uuid.uuid4().hex}")


@cache
def _migrated_database(mariadb: MariaDbServer) -> str:
    url = fresh_database(mariadb)
    migrate(url)
    return url


def migrated_database(mariadb: MariaDbServer) -> str:
    """A migrated database without rows: one for each worker, emptied at each call.

    Migrating takes a second; a test that needs two databases, or one without tables, makes its own.
    """
    url = _migrated_database(mariadb)
    engine = create_engine(url)
    with engine.begin() as connection:
        _empty(connection)
    engine.dispose()
    return url


def _empty(connection: Connection) -> None:
    # What an earlier test left open holds locks that the emptying would wait for.
    others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    for (number,) in connection.execute(text(others)).all():
        connection.execute(text(f"KILL SOFT CONNECTION {number}"))
    for trigger in connection.execute(text("SHOW TRIGGERS")).mappings().all():
        connection.execute(text(f"DROP TRIGGER `{trigger['Trigger']}`"))
    tables = [name for (name,) in connection.execute(text("SHOW TABLES")) if name != "alembic_version"]
    filled = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM `{name}`)" for name in tables)  # noqa: S608 - names of tables
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
    for (name,) in connection.execute(text(filled)).all():
        connection.execute(text(f"TRUNCATE TABLE `{name}`"))
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


@cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fm-template-") as folder:
        file = Path(folder) / "migrated.sqlite3"
        upgrade(f"sqlite:///{file}")
        return file.read_bytes()


def migrate(url: str) -> None:
    """Do what `upgrade` does; a SQLite file that is not there yet becomes a copy, which costs nothing."""
    file = make_url(url).database
    if not url.startswith("sqlite") or file is None or Path(file).exists():
        upgrade(url)
        return
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(_template())


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
        commands_partitions=partitions,
        replies_partitions=partitions,
    )
    create_topics(kafka.bootstrap_servers, names)
    return with_own_groups(names)


def with_own_groups(topics: KafkaSettings) -> KafkaSettings:
    """The same topics, read by groups that nobody has read with."""
    mark = uuid.uuid4().hex[:12]
    return topics.model_copy(
        update={
            "door_group": f"door-consumers-{mark}",
            "payments_group": f"payment-consumers-{mark}",
            "archive_group": f"archive-consumers-{mark}",
        }
    )


@cache
def _worker_topics(kafka: KafkaServer) -> tuple[KafkaSettings, AdminClient]:
    return fresh_topics(kafka), AdminClient({"bootstrap.servers": kafka.bootstrap_servers})


def emptied_topics(kafka: KafkaServer) -> KafkaSettings:
    """Topics without messages, of eight partitions: one set for each worker, emptied at each call; groups are new.

    Offsets go on from where they were. A test that counts on offsets makes topics of its own.
    """
    topics, client = _worker_topics(kafka)
    names = (
        topics.commands_topic,
        topics.replies_topic,
        topics.events_topic,
        topics.payments_topic,
        topics.dead_letters_topic,
    )
    known = client.list_topics(timeout=10).topics
    partitions = [TopicPartition(name, number) for name in names for number in known[name].partitions]

    def empty() -> None:
        latest_offset = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        latest = client.list_offsets(dict.fromkeys(partitions, latest_offset))
        ends = [TopicPartition(p.topic, p.partition, future.result(10).offset) for p, future in latest.items()]
        for future in client.delete_records([end for end in ends if end.offset > 0]).values():
            future.result(10)

    retry_until_leader(empty, KAFKA_PATIENCE_S)
    return with_own_groups(topics)
