"""Raw messages on topics, and `fitmonitor kafka …` with the broker of a test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from integrations.kafka.clients import assigned_consumer_config
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.settings import Settings

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
REASON = "undecodable: DecodeError: truncated"


class Topic:
    """A topic, written and read without the code under test."""

    def __init__(self, settings: Settings, name: str) -> None:
        self._kafka = settings.kafka
        self._name = name

    def write(self, value: bytes | None, key: bytes | None = b"gym") -> Message:
        written: list[Message] = []
        producer = Producer({"bootstrap.servers": self._kafka.bootstrap_servers})
        producer.produce(self._name, value, key=key, on_delivery=lambda _error, message: written.append(message))
        producer.flush(10)
        offset = written[0].offset()
        return next(message for message in self.read() if message.value() == value and message.offset() == offset)

    def read(self) -> list[Message]:
        reader = Consumer(assigned_consumer_config(self._kafka, "reader", 5) | {"enable.partition.eof": True})
        partitions = list(reader.list_topics(self._name, timeout=10).topics[self._name].partitions)
        reader.assign([TopicPartition(self._name, partition, 0) for partition in partitions])
        found: list[Message] = []
        ends = 0
        while ends < len(partitions):
            message = reader.poll(10)
            assert message is not None
            if message.error() is None:
                found.append(message)
            else:
                ends += 1
        reader.close()
        return found


def write_dead_letters(settings: Settings, *messages: Message) -> None:
    writer = DeadLetterWriter(settings.kafka)
    writer.write([(message, REASON) for message in messages])
    writer.close()


def pairs(messages: list[Message]) -> list[tuple[bytes | None, bytes | None]]:
    return [(message.key(), message.value()) for message in messages]


class Command:
    """`fitmonitor kafka …` with the broker of a test."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        kafka = settings.kafka
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
        self._environment = clean | {
            "FITMONITOR_DATA_DIR": str(folder),
            "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "FITMONITOR_KAFKA__COMMANDS_TOPIC": kafka.commands_topic,
            "FITMONITOR_KAFKA__DEAD_LETTERS_TOPIC": kafka.dead_letters_topic,
            "FITMONITOR_KAFKA__DOOR_GROUP": kafka.door_group,
            "FITMONITOR_KAFKA__PAYMENTS_TOPIC": kafka.payments_topic,
            "FITMONITOR_KAFKA__EVENTS_TOPIC": kafka.events_topic,
            "FITMONITOR_KAFKA__ARCHIVE_GROUP": kafka.archive_group,
            "FITMONITOR_KAFKA__PAYMENTS_GROUP": kafka.payments_group,
            "COLUMNS": "300",
        }

    def run(self, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_FITMONITOR, "kafka", *words],
            env=self._environment,
            input=answer,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def says(self, *words: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever JSON can say
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)
