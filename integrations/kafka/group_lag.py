"""How far a consumer group is behind, as Kafka has it; asked from outside the group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined]

from integrations.kafka.clients import common_config
from integrations.kafka.leader_retry import once_returned
from integrations.settings import KafkaSettings

_ASK_BROKER_S = 5.0
OffsetSpec: Any = _OffsetSpec  # the library declares no types for it


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of a topic, as a group sees it.

    Args:
        first, end: offsets of the first message that is kept, and of the next that will be written.
        committed: the offset that the group will go on from; None before its first commit.
        member: the id of the member that owns it; None when nobody does, or nobody can say.
    """

    partition: int
    first: int
    end: int
    committed: int | None
    member: str | None

    @property
    def lag(self) -> int:
        """Messages that are kept and not handled yet. A group that never committed begins with the first."""
        return self.end - max(self.first, self.committed or 0)


@dataclass(frozen=True, slots=True)
class GroupLag:
    """A group on a topic.

    Args:
        state: the broker's word, such as `stable` or `empty`; None when it cannot tell of groups, as the mock broker.
        members: how many; None when the broker cannot tell.
    """

    group: str
    topic: str
    state: str | None
    members: int | None
    partitions: tuple[PartitionLag, ...]

    @property
    def lag(self) -> int:
        """Of all partitions."""
        return sum(partition.lag for partition in self.partitions)

    def as_json(self) -> dict[str, Any]:
        """Plain data, of all partitions together."""
        return {
            "group": self.group,
            "topic": self.topic,
            "state": self.state,
            "members": self.members,
            "lag": self.lag,
        }


def group_lag(settings: KafkaSettings, group: str, topic: str) -> GroupLag:
    """How far a group is behind on a topic.

    Raises:
        KafkaException: Kafka is away, or has no such topic.
    """
    client = AdminClient(common_config(settings))
    found = client.list_topics(topic, timeout=_ASK_BROKER_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    partitions = [TopicPartition(topic, number) for number in sorted(found.partitions)]
    committed = _committed(client, group, partitions)
    first, end = (_offsets(client, partitions, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
    state, members, owners = _members(client, group, topic)
    return GroupLag(
        group,
        topic,
        state,
        members,
        tuple(PartitionLag(n, first[n], end[n], committed.get(n), owners.get(n)) for n in sorted(end)),
    )


def _committed(client: AdminClient, group: str, partitions: list[TopicPartition]) -> dict[int, int]:
    asked = [ConsumerGroupTopicPartitions(group, partitions)]

    def ask() -> Any:  # noqa: ANN401 - the library declares no type for it
        return client.list_consumer_group_offsets(asked, request_timeout=_ASK_BROKER_S)[group].result()

    answer = once_returned(ask)
    return {one.partition: one.offset for one in answer.topic_partitions if one.offset >= 0}


def _offsets(client: AdminClient, partitions: list[TopicPartition], spec: _OffsetSpec) -> dict[int, int]:
    def ask() -> dict[int, int]:
        answers = client.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_ASK_BROKER_S)
        return {one.partition: future.result().offset for one, future in answers.items()}

    return once_returned(ask)


def _members(client: AdminClient, group: str, topic: str) -> tuple[str | None, int | None, Mapping[int, str]]:
    def ask() -> Any:  # noqa: ANN401 - the library declares no type for it
        return client.describe_consumer_groups([group], request_timeout=_ASK_BROKER_S)[group].result()

    try:
        described = once_returned(ask)
    except KafkaException as error:
        if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001 - the library's own name
            return None, None, {}
        raise
    owners = {
        owned.partition: member.member_id
        for member in described.members
        for owned in (member.assignment.topic_partitions if member.assignment else ())
        if owned.topic == topic
    }
    return described.state.name.lower(), len(described.members), owners
