"""What waits in Kafka: messages for the consumer groups, and dead letters that were not sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.cli.dead_letter_search import not_replayed
from cluster.cli.kafka_connection import stack_kafka
from integrations.kafka.dead_letter_reader import DeadLetterReader
from integrations.kafka.group_lag import GroupLag, group_lag

_READ_AT_MOST = 500  # dead letters; reading more takes longer than a status may


@dataclass(frozen=True, slots=True)
class DeadLetterCount:
    """Number of dead letters that were not sent again; unless `counted`, of all, some of which may have been."""

    waiting: int
    counted: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages per second between two reports: written to a group's topic, and handled by the group."""

    written: float
    handled: float


def consumer_groups() -> Sequence[GroupLag]:
    """The lag of each consumer group.

    Raises:
        CommandError: Kafka is unavailable.
    """
    with stack_kafka() as kafka:
        return [group_lag(kafka, group, topic) for group, topic in kafka.subscriptions]


def count_dead_letters() -> DeadLetterCount:
    """The number of dead letters that `fitmonitor kafka replay` can send again.

    Raises:
        CommandError: Kafka is unavailable.
    """
    with stack_kafka() as kafka:
        # This group never reads the topic, so its lag is the number of messages in it.
        kept = group_lag(kafka, kafka.door_group, kafka.dead_letters_topic).lag
        if not 0 < kept <= _READ_AT_MOST:
            return DeadLetterCount(kept, counted=kept == 0)
        with DeadLetterReader(kafka) as reader:
            return DeadLetterCount(len(not_replayed(reader, "")), counted=True)


def rates(before: Sequence[GroupLag], after: Sequence[GroupLag], seconds: float) -> Mapping[str, Rates]:
    """The rates by group between two reports, without groups whose offsets were reset in between."""
    found = {}
    earlier = {group.group: group for group in before}
    for group in after:
        last = earlier.get(group.group)
        if last is None or seconds <= 0:
            continue
        written, handled = _written(group) - _written(last), _handled(group) - _handled(last)
        if written >= 0 and handled >= 0:
            found[group.group] = Rates(round(written / seconds, 1), round(handled / seconds, 1))
    return found


def _written(group: GroupLag) -> int:
    return sum(partition.end for partition in group.partitions)


def _handled(group: GroupLag) -> int:
    return sum(partition.committed or 0 for partition in group.partitions)
