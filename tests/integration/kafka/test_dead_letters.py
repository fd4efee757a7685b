"""Dead letters: written, read, and replayed to their topics, on the mock broker and on Apache Kafka."""

import os
from collections import Counter
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaException

from domain.ids import new_id
from integrations.kafka.dead_letter_reader import (
    DeadLetterReader,
    LetterId,
    MessageDeletedError,
    ReplayedMark,
    StoredLetter,
    read_original,
)
from integrations.kafka.dead_letter_replay import DeadLetterReplay
from integrations.kafka.group_lag import group_lag
from integrations.kafka.messages import DeadLetter
from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.echo_consumer import EchoHandler, echo_loop
from tests.integration.kafka.raw_topics import REASON, Topic, pairs, write_dead_letters
from tests.waiting import wait_until

LARGE = os.urandom(900_000)


@pytest.fixture
def commands(settings: Settings) -> Topic:
    return Topic(settings, settings.kafka.commands_topic)


def entries(settings: Settings) -> tuple[list[StoredLetter], list[ReplayedMark]]:
    with DeadLetterReader(settings.kafka) as reader:
        found = list(reader.entries())
    letters = [entry for entry in found if isinstance(entry, StoredLetter)]
    return letters, [entry for entry in found if isinstance(entry, ReplayedMark)]


def test_a_letter_has_the_original_message_and_the_reason(settings: Settings, commands: Topic) -> None:
    message = commands.write(b"garbage")
    write_dead_letters(settings, message)
    ((stored,), marks) = entries(settings)
    assert stored.letter == DeadLetter(
        REASON, settings.kafka.commands_topic, message.partition() or 0, message.offset() or 0, b"garbage"
    )
    assert stored.key == b"gym"
    assert marks == []


def test_an_empty_topic_has_no_letters(settings: Settings) -> None:
    Topic(settings, settings.kafka.dead_letters_topic).read()  # makes it on the mock broker
    assert entries(settings) == ([], [])


@pytest.mark.parametrize(("key", "value"), [(b"gym", b"x"), (None, b"x"), (b"", b""), (b"gym", None), (b"\xff", b"\0")])
def test_a_replayed_message_equals_the_original(
    settings: Settings, commands: Topic, key: bytes | None, value: bytes | None
) -> None:
    write_dead_letters(settings, commands.write(value, key))
    letters, _ = entries(settings)
    assert DeadLetterReplay(settings.kafka).send(letters) == []
    assert pairs(commands.read()) == [(key, value)] * 2


def test_a_replayed_letter_is_marked(settings: Settings, commands: Topic) -> None:
    write_dead_letters(settings, commands.write(b"1"), commands.write(b"2"))
    letters, _ = entries(settings)
    DeadLetterReplay(settings.kafka).send(letters[1:])
    again, marks = entries(settings)
    assert again == letters
    assert [mark.letter for mark in marks] == [letters[1].id]


def test_letters_of_every_topic_are_replayed(settings: Settings) -> None:
    kafka = settings.kafka
    topics = [Topic(settings, name) for name in kafka.topics if name != kafka.dead_letters_topic]
    assert Topic(settings, kafka.payments_topic).write(b"garbage").value() == b"garbage"
    write_dead_letters(settings, *(topic.write(b"from here") for topic in topics))
    letters, _ = entries(settings)
    assert DeadLetterReplay(kafka).send(letters) == []
    for topic in topics:
        assert [message.value() for message in topic.read() if message.value() != b"garbage"] == [b"from here"] * 2


def test_a_message_too_large_for_a_letter_is_read_from_its_topic(settings: Settings, commands: Topic) -> None:
    message = commands.write(LARGE)
    write_dead_letters(settings, message)
    ((stored,), _) = entries(settings)
    assert stored.letter is not None
    assert not stored.letter.whole
    assert LARGE.startswith(stored.letter.value or b"")
    assert read_original(settings.kafka, stored.letter).value() == LARGE
    assert DeadLetterReplay(settings.kafka).send([stored]) == []
    assert pairs(commands.read()) == [(b"gym", LARGE)] * 2


def test_a_key_too_large_for_a_letter_does_not_block_the_others(settings: Settings, commands: Topic) -> None:
    write_dead_letters(settings, commands.write(b"x", LARGE), commands.write(b"y"))
    letters, _ = entries(settings)
    assert {letter.letter and letter.letter.value for letter in letters} == {b"x", b"y"}
    assert DeadLetterReplay(settings.kafka).send(letters) == []
    assert Counter(pairs(commands.read())) == {(LARGE, b"x"): 2, (b"gym", b"y"): 2}


def test_a_letter_that_cannot_be_replayed_is_reported_and_not_marked(settings: Settings, commands: Topic) -> None:
    kafka = settings.kafka
    message = commands.write(b"x")
    write_dead_letters(settings, message)
    place = message.partition() or 0
    gone = DeadLetter(REASON, kafka.commands_topic, place, 10**6, b"", whole=False)
    foreign = DeadLetter(REASON, "somebody-elses", 0, 0, b"x")
    now = datetime.now(UTC)
    letters = [
        StoredLetter(LetterId(0, 100), now, b"gym", gone, b""),
        StoredLetter(LetterId(0, 101), now, b"gym", foreign, b""),
        StoredLetter(LetterId(0, 102), now, b"gym", None, b"?"),
    ]
    failed = DeadLetterReplay(kafka).send(letters)
    assert [one.id.offset for one in failed] == [100, 101, 102]
    assert "does not keep" in failed[0].reason
    assert "somebody-elses" in failed[1].reason
    assert "Not a dead letter" in failed[2].reason
    assert len(commands.read()) == 1
    assert entries(settings)[1] == []
    with pytest.raises(MessageDeletedError):
        read_original(kafka, gone)


def test_the_lag_of_a_group_is_its_number_of_unread_messages(settings: Settings, commands: Topic) -> None:
    kafka = settings.kafka
    for gym in range(6):
        commands.write(b"garbage", str(gym).encode())
    before = group_lag(kafka, kafka.door_group, kafka.commands_topic)
    assert before.lag == 6
    assert {partition.committed for partition in before.partitions} == {None}
    assert all(partition.member is None for partition in before.partitions)
    loop = echo_loop(settings, EchoHandler())
    wait_until(lambda: group_lag(kafka, kafka.door_group, kafka.commands_topic).lag == 0)
    at_work = group_lag(kafka, kafka.door_group, kafka.commands_topic)
    if at_work.state is not None:  # the mock broker cannot describe groups
        assert (at_work.state, at_work.members) == ("stable", 1)
        assert len({partition.member for partition in at_work.partitions} - {None}) == 1
    assert loop.stop(30)
    commands.write(b"garbage", b"0")
    after = group_lag(kafka, kafka.door_group, kafka.commands_topic)
    assert after.lag == 1
    assert (after.state is None) == (before.state is None)


def test_without_kafka_lag_and_letters_raise() -> None:
    unavailable = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaException):
        group_lag(unavailable, unavailable.door_group, unavailable.commands_topic)
    with pytest.raises(KafkaException):
        DeadLetterReader(unavailable)


def test_letter_ids_are_parsed_as_they_are_printed() -> None:
    assert LetterId.read(str(LetterId(3, 17))) == (3, 17)
    for text in ("", "3", "3:", ":3", "-1:3", "a:b", "3:17:1", "\u0663:\u0661", str(new_id())):
        with pytest.raises(ValueError, match="is not the id of a dead letter"):
            LetterId.read(text)
