"""Tells the incarnations of a topic apart: its offsets begin at zero again after it was deleted and made anew."""

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from integrations.kafka.clients import MOCK_CLUSTER, common_config
from integrations.settings import KafkaSettings

_BROKER_TIMEOUT_S = 5.0


class TopicIncarnation:
    """The present incarnation of a topic.

    Args:
        settings: of Kafka.
        topic: its name.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._servers = settings.bootstrap_servers
        self._client = AdminClient(common_config(settings))

    def read(self) -> str:
        """A text that no other incarnation of this topic has: its topic id; with the mock broker, the broker's start.

        Raises:
            KafkaException: the broker is unavailable, or has no such topic.
        """
        cluster_id: str = self._client.cluster_id(_BROKER_TIMEOUT_S)
        if cluster_id.startswith(MOCK_CLUSTER):
            # It has no topic ids, and forgets its topics when it ends.
            return f"{cluster_id}@{self._servers}"[:128]
        found = self._client.describe_topics(TopicCollection([self._topic]), request_timeout=_BROKER_TIMEOUT_S)
        try:
            return str(found[self._topic].result(2 * _BROKER_TIMEOUT_S).topic_id)
        except TimeoutError as error:
            raise KafkaException(str(error)) from error
