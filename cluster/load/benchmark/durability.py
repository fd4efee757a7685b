"""Checks that database, Kafka and file system are durable: figures of a store that may lose data mean nothing."""

from collections.abc import Mapping
from pathlib import Path

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from sqlalchemy import Connection, text

from cluster.errors import CommandError
from integrations.kafka.clients import producer_config
from integrations.settings import Settings

_FLUSH = "innodb_flush_log_at_trx_commit"
_VARIABLES = (_FLUSH, "innodb_doublewrite", "innodb_flush_method", "log_bin", "sync_binlog", "version")
_IN_MEMORY = {"tmpfs", "ramfs"}
_HINT = "measure the stack as `fitmonitor up --profile full` starts it"
_WITHIN_S = 10.0


def durable_settings(settings: Settings, connection: Connection) -> Mapping[str, str]:
    """The settings of the database, Kafka and the file system, by name.

    Raises:
        CommandError: an acknowledged scan could be lost with them, or Kafka does not answer.
    """
    if connection.dialect.name not in {"mysql", "mariadb"}:
        raise CommandError("the benchmark measures the full profile, with MariaDB and Kafka", _HINT)
    found = {**_database(connection), **_kafka(settings), "file_system": _file_system(settings.data_dir)}
    require_durable(found)
    return found


def require_durable(found: Mapping[str, str]) -> None:
    """Accept settings that keep what was acknowledged.

    Raises:
        CommandError: these do not; names the setting.
    """
    if found[_FLUSH] != "1":
        raise CommandError(f"MariaDB may lose a commit: {_FLUSH} is {found[_FLUSH]}", f"set it to 1; {_HINT}")
    if found["kafka_acks"] not in {"all", "-1"}:
        raise CommandError(f"Kafka may lose a command: acks is {found['kafka_acks']}", f"set it to all; {_HINT}")
    if found["file_system"] in _IN_MEMORY:
        raise CommandError("the data folder is in memory and lost with it", "set FITMONITOR_DATA_DIR to a disk")


def _database(connection: Connection) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in _VARIABLES)
    rows = connection.execute(text(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"))
    return {str(name).lower(): str(value) for name, value in rows}


def _kafka(settings: Settings) -> dict[str, str]:
    kafka = settings.kafka
    producer = producer_config(kafka, settings.door.deadline_s)
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    resource = ConfigResource(ResourceType.TOPIC, kafka.commands_topic)
    try:
        topic = client.list_topics(kafka.commands_topic, timeout=_WITHIN_S).topics[kafka.commands_topic]
        options = client.describe_configs([resource])[resource].result(_WITHIN_S)
    except KafkaException as error:
        raise CommandError(f"Kafka does not answer: {error}", _HINT) from error
    return {
        "kafka_acks": str(producer["acks"]),
        "kafka_idempotence": str(producer["enable.idempotence"]).lower(),
        "kafka_replicas": str(min(len(partition.replicas) for partition in topic.partitions.values())),
        "kafka_min_insync_replicas": options["min.insync.replicas"].value,
    }


def _file_system(folder: Path) -> str:
    mounted = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(mounted, key=lambda part: len(part.mountpoint)).fstype if mounted else "unknown"
