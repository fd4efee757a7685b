"""Kafka of the embedded profile: the mock broker of librdkafka in a process of its own.

`python -m cluster.local.mock_broker ADDRESS_FILE TOPIC…` serves until SIGTERM or SIGINT. Messages are in memory;
librdkafka keeps 5 MiB per partition.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Producer


def serve(address_file: Path, topics: Sequence[str]) -> None:
    """Run the broker until SIGTERM or SIGINT, and write its address into a file."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    for topic in topics:  # a request for a topic creates it
        owner.list_topics(topic, timeout=10)
    broker = next(iter(owner.list_topics(timeout=10).brokers.values()))
    draft = address_file.with_suffix(".draft")
    draft.write_text(f"{broker.host}:{broker.port}", encoding="utf-8")
    draft.rename(address_file)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
