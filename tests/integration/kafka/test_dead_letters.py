"""Dead letters from the consumer that wrote them to the topic that they are sent to again, on each kind of broker."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from domain.ids import new_id
from integrations.kafka.clients import assigned_consumer_config
from integrations.kafka.dead_letter_reader import DeadLetterReader, GoneError, LetterId, ReplayedMark, StoredLetter
from integrations.kafka.dead_letter_reader import original as find_original
from integrations.kafka.dead_letter_replay import DeadLetterReplay
from integrations.kafka.dead_letters import DeadLetterWriter
from integrations.kafka.group_lag import group_lag
from integrations.kafka.messages import DeadLetter
from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.parties import EchoHandler, echo_loop, wait_until

_FITMONITOR = Path(sys.executable).with_name("fitmonitor")
REASON = "undecodable: DecodeError: truncated"
LARGE = os.urandom(900_000)


class Topic:
    """A topic to write to and to read from its beginning."""

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


@pytest.fixture
def commands(settings: Settings) -> Topic:
    return Topic(settings, settings.kafka.commands_topic)


def bury(settings: Settings, *messages: Message) -> None:
    writer = DeadLetterWriter(settings.kafka)
    writer.write([(message, REASON) for message in messages])
    writer.close()


def entries(settings: Settings) -> tuple[list[StoredLetter], list[ReplayedMark]]:
    with DeadLetterReader(settings.kafka) as reader:
        found = list(reader.entries())
    letters = [entry for entry in found if isinstance(entry, StoredLetter)]
    return letters, [entry for entry in found if isinstance(entry, ReplayedMark)]


def pairs(messages: list[Message]) -> list[tuple[bytes | None, bytes | None]]:
    return [(message.key(), message.value()) for message in messages]


def test_a_letter_says_which_message_it_was_and_why_it_is_dead(settings: Settings, commands: Topic) -> None:
    message = commands.write(b"garbage")
    bury(settings, message)
    ((stored,), marks) = entries(settings)
    assert stored.letter == DeadLetter(
        REASON, settings.kafka.commands_topic, message.partition() or 0, message.offset() or 0, b"garbage"
    )
    assert stored.key == b"gym"
    assert marks == []


def test_no_letters_are_read_of_an_empty_topic(settings: Settings) -> None:
    Topic(settings, settings.kafka.dead_letters_topic).read()  # makes it on the mock broker
    assert entries(settings) == ([], [])


@pytest.mark.parametrize(("key", "value"), [(b"gym", b"x"), (None, b"x"), (b"", b""), (b"gym", None), (b"\xff", b"\0")])
def test_what_is_sent_again_is_the_message_that_it_was(
    settings: Settings, commands: Topic, key: bytes | None, value: bytes | None
) -> None:
    bury(settings, commands.write(value, key))
    letters, _ = entries(settings)
    assert DeadLetterReplay(settings.kafka).send(letters) == []
    assert pairs(commands.read()) == [(key, value)] * 2


def test_what_was_sent_again_is_marked(settings: Settings, commands: Topic) -> None:
    bury(settings, commands.write(b"1"), commands.write(b"2"))
    letters, _ = entries(settings)
    DeadLetterReplay(settings.kafka).send(letters[1:])
    again, marks = entries(settings)
    assert again == letters
    assert [mark.letter for mark in marks] == [letters[1].id]


def test_a_message_too_large_for_a_letter_is_found_where_it_lies(settings: Settings, commands: Topic) -> None:
    message = commands.write(LARGE)
    bury(settings, message)
    ((stored,), _) = entries(settings)
    assert stored.letter is not None
    assert not stored.letter.whole
    assert LARGE.startswith(stored.letter.value or b"")
    assert find_original(settings.kafka, stored.letter).value() == LARGE
    assert DeadLetterReplay(settings.kafka).send([stored]) == []
    assert pairs(commands.read()) == [(b"gym", LARGE)] * 2


def test_a_key_too_large_for_a_letter_does_not_hold_up_the_others(settings: Settings, commands: Topic) -> None:
    bury(settings, commands.write(b"x", LARGE), commands.write(b"y"))
    letters, _ = entries(settings)
    assert {letter.letter and letter.letter.value for letter in letters} == {b"x", b"y"}
    assert DeadLetterReplay(settings.kafka).send(letters) == []
    assert Counter(pairs(commands.read())) == {(LARGE, b"x"): 2, (b"gym", b"y"): 2}


def test_what_cannot_be_sent_again_is_said_and_not_marked(settings: Settings, commands: Topic) -> None:
    kafka = settings.kafka
    message = commands.write(b"x")
    bury(settings, message)
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
    assert "no letter" in failed[2].reason
    assert len(commands.read()) == 1
    assert entries(settings)[1] == []
    with pytest.raises(GoneError):
        find_original(kafka, gone)


def test_the_lag_is_what_waits_for_the_group(settings: Settings, commands: Topic) -> None:
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
    if at_work.state is not None:  # the mock broker does not tell of groups
        assert (at_work.state, at_work.members) == ("stable", 1)
        assert len({partition.member for partition in at_work.partitions} - {None}) == 1
    assert loop.stop(30)
    commands.write(b"garbage", b"0")
    after = group_lag(kafka, kafka.door_group, kafka.commands_topic)
    assert after.lag == 1
    assert (after.state is None) == (before.state is None)


def test_without_kafka_nothing_is_said_of_it() -> None:
    away = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(KafkaException):
        group_lag(away, away.door_group, away.commands_topic)
    with pytest.raises(KafkaException):
        DeadLetterReader(away)


class Command:
    """`fitmonitor kafka …` beside the broker of a test."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        kafka = settings.kafka
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FITMONITOR_")}
        self._environment = clean | {
            "FITMONITOR_DATA_DIR": str(folder),
            "FITMONITOR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "FITMONITOR_KAFKA__COMMANDS_TOPIC": kafka.commands_topic,
            "FITMONITOR_KAFKA__DEAD_LETTERS_TOPIC": kafka.dead_letters_topic,
            "FITMONITOR_KAFKA__DOOR_GROUP": kafka.door_group,
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


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Command:
    return Command(settings, tmp_path)


def test_letters_are_listed_shown_and_sent_again_by_the_command(
    settings: Settings, commands: Topic, command: Command
) -> None:
    texts = [b'{"type":"dance"}', b"\x1b[31mred\x00", None, b"last"]
    bury(settings, *(commands.write(text) for text in texts))
    listed = command.says("dead-letters")
    ids = [letter["id"] for letter in listed]
    assert [letter["bytes"] for letter in listed] == [4, None, 9, 16]
    assert listed[0]["reason"] == REASON
    assert {letter["replayed_at"] for letter in listed} == {None}
    assert command.says("dead-letters", "--limit", "2", "--after", ids[1]) == listed[2:]
    assert command.says("dead-letters", "--reason", "TRUNCATED") == listed
    assert command.says("dead-letters", "--reason", "another") == []

    shown = command.says("dead-letters", "show", ids[3])
    assert shown["value"] == {"type": "dance"}
    assert '"type": "dance"' in command.run("dead-letters", "show", ids[3]).stdout
    assert command.says("dead-letters", "show", ids[2])["value_base64"] == "G1szMW1yZWQA"
    assert "base64: G1szMW1yZWQA" in command.run("dead-letters", "show", ids[2]).stdout
    table = command.run("dead-letters").stdout
    assert "\\x1b[31mred\\x00" in table
    assert "\x1b" not in table

    assert command.says("replay", ids[0], "--yes") == {"sent": [ids[0]], "not_sent": []}
    assert command.says("replay", ids[0], "--yes", code=3)["sent"] == []
    assert command.says("replay", ids[0], "--again", "--yes")["sent"] == [ids[0]]
    declined = command.run("replay", "--all", answer="n\n")
    assert declined.returncode == 1
    assert "Send 3 dead letters again?" in declined.stderr
    assert command.says("replay", "--all", "--reason", "another", "--yes", code=3)["sent"] == []
    assert sorted(command.says("replay", "--all", "--yes")["sent"]) == sorted(ids[1:])
    assert command.says("replay", "--all", "--yes", code=3)["sent"] == []
    assert all(letter["replayed_at"] for letter in command.says("dead-letters"))
    assert sorted(map(str, pairs(commands.read()))) == sorted(str((b"gym", text)) for text in [*texts, *texts, b"last"])


def test_a_foreign_message_among_the_letters_is_listed_and_sends_nothing(
    settings: Settings, commands: Topic, command: Command
) -> None:
    letters = Topic(settings, settings.kafka.dead_letters_topic)
    for value in (b"garbage", b"", None, b'{"type":"dead_letter","reason":"\xff"}', b"[" * 100_000):
        letters.write(value)
    bury(settings, commands.write(b"x"))
    listed = command.says("dead-letters")
    assert [letter["reason"] for letter in listed[1:]] == ["this is no letter"] * 5
    assert command.says("replay", listed[1]["id"], "--yes", code=1)["not_sent"][0]["id"] == listed[1]["id"]
    assert command.says("replay", "--all", "--yes")["sent"] == [listed[0]["id"]]
    assert len(commands.read()) == 2


def test_the_lag_command_ends_with_3_when_too_many_wait(settings: Settings, commands: Topic, command: Command) -> None:
    commands.write(b"x")
    (group,) = command.says("lag")
    assert (group["group"], group["lag"]) == (settings.kafka.door_group, 1)
    assert command.says("lag", "--most", "1") == [group]
    command.says("lag", "--most", "0", code=3)
    said = command.run("lag").stdout
    assert "1 messages wait in 1 of" in said
    assert len(command.run("lag", "--every").stdout.splitlines()) == 2 + len(group["partitions"])


@pytest.mark.parametrize(
    "words",
    [
        ["replay"],
        ["replay", "x"],
        ["replay", "0:1", "--all"],
        ["replay", "0:1", "--reason", "x"],
        ["dead-letters", "show"],
    ],
    ids=" ".join,
)
def test_a_wrong_use_ends_with_2(words: list[str], tmp_path: Path) -> None:
    assert Command(Settings(kafka=KafkaSettings(bootstrap_servers="x:1")), tmp_path).run(*words).returncode == 2


@pytest.mark.parametrize(
    "words", [["lag"], ["dead-letters"], ["dead-letters", "show", "0:0"], ["replay", "--all"]], ids=" ".join
)
def test_without_kafka_the_mend_is_said_in_one_line(words: list[str], tmp_path: Path) -> None:
    for servers, why in (("", "no stack is up"), ("127.0.0.1:1", "cannot be asked")):
        done = Command(Settings(kafka=KafkaSettings(bootstrap_servers=servers)), tmp_path).run(*words)
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert why in done.stderr
        assert "fitmonitor up" in done.stderr


def test_a_letter_that_is_not_there_is_said_so(settings: Settings, command: Command) -> None:
    Topic(settings, settings.kafka.dead_letters_topic).read()
    for words in (["dead-letters", "show", "0:99"], ["dead-letters", "--after", "0:99"], ["replay", "0:99", "--yes"]):
        done = command.run(*words)
        assert (done.returncode, "there is no letter 0:99" in done.stderr) == (1, True)


def test_ids_are_read_as_they_are_written() -> None:
    assert LetterId.read(str(LetterId(3, 17))) == (3, 17)
    for text in ("", "3", "3:", ":3", "-1:3", "a:b", "3:17:1", "\u0663:\u0661", str(new_id())):
        with pytest.raises(ValueError, match="no letter's id"):
            LetterId.read(text)
