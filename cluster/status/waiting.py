"""What waits in Kafka: messages for the consumers, and letters for somebody to send them again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.cli import letters
from cluster.cli.kafka_connection import kafka_of_the_stack
from integrations.kafka.dead_letter_reader import DeadLetterReader
from integrations.kafka.group_lag import GroupLag, group_lag

_MOST_READ = 500  # letters; reading more takes longer than somebody who asks for the status wants to wait


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Letters that were not sent again; where not `counted`, all that are kept, of which some may have been."""

    waiting: int
    counted: bool


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second between two looks at a group: written to its topic, and handled by it."""

    written: float
    handled: float


def groups() -> Sequence[GroupLag]:
    """What waits for each consumer group.

    Raises:
        CommandError: Kafka is away.
    """
    with kafka_of_the_stack() as kafka:
        return [group_lag(kafka, group, topic) for group, topic in kafka.subscriptions]


def dead_letters() -> DeadLetters:
    """Letters that wait for `fitmonitor kafka replay`.

    Raises:
        CommandError: Kafka is away.
    """
    with kafka_of_the_stack() as kafka:
        # The group never reads this topic, so all that is kept there waits for it.
        kept = group_lag(kafka, kafka.door_group, kafka.dead_letters_topic).lag
        if not 0 < kept <= _MOST_READ:
            return DeadLetters(kept, counted=kept == 0)
        with DeadLetterReader(kafka) as reader:
            return DeadLetters(len(letters.waiting(reader, "")), counted=True)


def rates(before: Sequence[GroupLag], after: Sequence[GroupLag], seconds: float) -> Mapping[str, Rates]:
    """By group, what went through between two looks; without those whose offsets began anew in between."""
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
