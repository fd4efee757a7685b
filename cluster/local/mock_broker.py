"""Kafka of the embedded profile: librdkafka's mock broker in a process of its own.

`python -m cluster.local.mock_broker ADDRESS_FILE TOPIC…` serves until it is told to end. What it holds is in
memory, bounded by librdkafka to 5 MiB a partition.
"""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Producer


def serve(address_file: Path, topics: Sequence[str]) -> None:
    """Hold the broker until SIGTERM or SIGINT."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    holder = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    for topic in topics:  # asking for a topic makes it
        holder.list_topics(topic, timeout=10)
    broker = next(iter(holder.list_topics(timeout=10).brokers.values()))
    draft = address_file.with_suffix(".draft")
    draft.write_text(f"{broker.host}:{broker.port}", encoding="utf-8")
    draft.rename(address_file)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
