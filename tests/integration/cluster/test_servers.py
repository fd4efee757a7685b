"""MariaDB and Kafka as a stack starts them: durable, protected, and back on their port after any end."""

import os
import stat
import time
from pathlib import Path

import pymysql
import pytest
from confluent_kafka import Consumer, Producer
from sqlalchemy import create_engine, text

from cluster.local.kafka import KafkaServer
from cluster.local.mariadb import MariaDbServer
from cluster.local.topics import create_topics
from tests.servers import fresh_database, fresh_topics

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def mariadb(own_mariadb: MariaDbServer) -> MariaDbServer:
    return own_mariadb


@pytest.fixture(scope="module")
def kafka(own_kafka: KafkaServer) -> KafkaServer:
    return own_kafka


def test_a_committed_row_survives_a_kill_of_mariadb(mariadb: MariaDbServer) -> None:
    engine = create_engine(fresh_database(mariadb))
    with engine.begin() as link:
        link.execute(text("CREATE TABLE kept (id INT PRIMARY KEY)"))
        link.execute(text("INSERT INTO kept VALUES (7)"))
    engine.dispose()

    mariadb.kill()
    mariadb.start()

    with engine.connect() as link:
        assert link.execute(text("SELECT id FROM kept")).scalar_one() == 7
    engine.dispose()


def test_mariadb_commits_durably(mariadb: MariaDbServer) -> None:
    engine = create_engine(fresh_database(mariadb))
    with engine.connect() as link:
        setting = link.execute(text("SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite")).one()
    engine.dispose()
    assert tuple(setting) == (1, 1)


def test_mariadb_keeps_temporary_tables_where_no_other_server_deletes_them(mariadb: MariaDbServer) -> None:
    engine = create_engine(fresh_database(mariadb))
    with engine.connect() as link:
        folder = Path(link.execute(text("SELECT @@tmpdir")).scalar_one())
        link.execute(text("CREATE TEMPORARY TABLE passing (id INT) ENGINE=Aria"))
        assert any(folder.iterdir())
    engine.dispose()
    assert folder.is_relative_to(mariadb.data_dir)


def test_mariadb_takes_no_one_without_the_password(mariadb: MariaDbServer) -> None:
    for user in ("fitmonitor", "root", ""):
        with pytest.raises(pymysql.err.OperationalError):
            pymysql.connect(host="127.0.0.1", port=mariadb.port, user=user, password="")


def test_the_password_of_mariadb_is_for_its_owner_alone(mariadb: MariaDbServer) -> None:
    assert stat.S_IMODE((mariadb.data_dir / "password").stat().st_mode) == 0o600
    assert not (mariadb.data_dir / "first.sql").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hand the server to another user")
def test_root_hands_mariadb_to_a_lesser_user(mariadb: MariaDbServer) -> None:
    process = mariadb.process.identity.find()
    assert process is not None
    assert process.username() == "mysql"


def test_what_kafka_acknowledged_survives_its_kill(kafka: KafkaServer) -> None:
    topics = fresh_topics(kafka)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "acks": "all"})
    producer.produce(topics.commands_topic, b"kept", partition=0)
    assert producer.flush(10) == 0

    kafka.kill()
    kafka.start()

    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": topics.door_group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topics.commands_topic])
    give_up_at = time.monotonic() + 60
    while (message := consumer.poll(1)) is None or message.error() is not None:
        assert time.monotonic() < give_up_at, "nothing was kept"
    consumer.close()
    assert message.value() == b"kept"


def test_making_topics_again_changes_nothing(kafka: KafkaServer) -> None:
    topics = fresh_topics(kafka, partitions=3)
    create_topics(kafka.bootstrap_servers, topics)
    client = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    assert len(client.list_topics(topics.commands_topic, timeout=10).topics[topics.commands_topic].partitions) == 3


def test_a_server_keeps_its_port_and_rows_over_a_restart(mariadb: MariaDbServer) -> None:
    url = fresh_database(mariadb)
    mariadb.restart()
    engine = create_engine(url)
    with engine.connect() as link:
        assert link.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()
