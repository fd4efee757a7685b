"""The Kafka topics of a stack."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from integrations.settings import KafkaSettings

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_EVENTS_PARTITIONS = 16
_DEAD_LETTERS_PARTITIONS = 1


def create_topics(bootstrap_servers: str, kafka: KafkaSettings) -> None:
    """Create missing topics; existing ones stay as they are.

    Args:
        bootstrap_servers: address of a single broker; each topic gets one replica.
        kafka: names and numbers of partitions.

    Raises:
        KafkaException: the broker refuses, and not because the topic exists.
    """
    topics = [
        NewTopic(name, num_partitions=partitions, replication_factor=1, config={"retention.ms": str(retention)})
        for name, (partitions, retention) in shapes_of(kafka).items()
    ]
    client = AdminClient({"bootstrap.servers": bootstrap_servers})
    for future in client.create_topics(topics, operation_timeout=30).values():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def shapes_of(kafka: KafkaSettings) -> dict[str, tuple[int, int]]:
    """Return the number of partitions and the retention in milliseconds of each topic."""
    return {
        kafka.commands_topic: (kafka.commands_partitions, 7 * _DAY_MS),
        kafka.replies_topic: (kafka.replies_partitions, _HOUR_MS),
        kafka.events_topic: (_EVENTS_PARTITIONS, 30 * _DAY_MS),
        kafka.payments_topic: (kafka.payments_partitions, 30 * _DAY_MS),
        kafka.dead_letters_topic: (_DEAD_LETTERS_PARTITIONS, 30 * _DAY_MS),
    }
