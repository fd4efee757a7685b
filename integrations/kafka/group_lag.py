"""Reads the lag of a consumer group from Kafka, without joining the group."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import OffsetSpec as _OffsetSpec  # type: ignore[attr-defined]

from integrations.kafka.clients import common_config
from integrations.kafka.leader_retry import retry_until_leader
from integrations.settings import KafkaSettings

_BROKER_TIMEOUT_S = 5.0
OffsetSpec: Any = _OffsetSpec  # the library declares no types for it


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The lag of a group on one partition.

    Args:
        first, end: offset of the first message, and of the next message to be written.
        committed: the offset from which the group continues; None before its first commit.
        member: the id of the member that owns the partition; None when there is none, or it is unknown.
    """

    partition: int
    first: int
    end: int
    committed: int | None
    member: str | None

    @property
    def lag(self) -> int:
        """Messages that are not handled yet. A group without a commit starts at the first message."""
        return self.end - max(self.first, self.committed or 0)


@dataclass(frozen=True, slots=True)
class GroupLag:
    """The lag of a group on a topic.

    Args:
        state: as the broker names it, such as `stable` or `empty`; None: unknown, because the mock broker cannot
            describe groups.
        members: number of members; None: unknown.
    """

    group: str
    topic: str
    state: str | None
    members: int | None
    partitions: tuple[PartitionLag, ...]

    @property
    def lag(self) -> int:
        """The sum of all partitions."""
        return sum(partition.lag for partition in self.partitions)

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON, without the partitions."""
        return {
            "group": self.group,
            "topic": self.topic,
            "state": self.state,
            "members": self.members,
            "lag": self.lag,
        }


def group_lag(settings: KafkaSettings, group: str, topic: str) -> GroupLag:
    """Read the lag of a group on a topic.

    Raises:
        KafkaException: Kafka is unavailable, or the topic does not exist.
    """
    client = AdminClient(common_config(settings))
    metadata = client.list_topics(topic, timeout=_BROKER_TIMEOUT_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    partitions = [TopicPartition(topic, number) for number in sorted(metadata.partitions)]
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
    request = [ConsumerGroupTopicPartitions(group, partitions)]

    def call() -> Any:  # noqa: ANN401 - the library declares no type for it
        return client.list_consumer_group_offsets(request, request_timeout=_BROKER_TIMEOUT_S)[group].result()

    result = retry_until_leader(call)
    return {one.partition: one.offset for one in result.topic_partitions if one.offset >= 0}


def _offsets(client: AdminClient, partitions: list[TopicPartition], spec: _OffsetSpec) -> dict[int, int]:
    def call() -> dict[int, int]:
        futures = client.list_offsets(dict.fromkeys(partitions, spec), request_timeout=_BROKER_TIMEOUT_S)
        return {one.partition: future.result().offset for one, future in futures.items()}

    return retry_until_leader(call)


def _members(client: AdminClient, group: str, topic: str) -> tuple[str | None, int | None, Mapping[int, str]]:
    """State, number of members, and the owner of each partition; None where the broker cannot describe groups."""

    def call() -> Any:  # noqa: ANN401 - the library declares no type for it
        return client.describe_consumer_groups([group], request_timeout=_BROKER_TIMEOUT_S)[group].result()

    try:
        description = retry_until_leader(call)
    except KafkaException as error:
        if error.args[0].code() == KafkaError._UNSUPPORTED_FEATURE:  # noqa: SLF001 - the library's own name
            return None, None, {}
        raise
    owners = {
        partition.partition: member.member_id
        for member in description.members
        for partition in (member.assignment.topic_partitions if member.assignment else ())
        if partition.topic == topic
    }
    return description.state.name.lower(), len(description.members), owners
