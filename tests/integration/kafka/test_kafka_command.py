"""`fitmonitor kafka …` with the mock broker and with Apache Kafka."""

from pathlib import Path

import pytest

from integrations.settings import KafkaSettings, Settings
from tests.integration.kafka.raw_topics import REASON, Command, Topic, pairs, write_dead_letters


@pytest.fixture
def commands(settings: Settings) -> Topic:
    return Topic(settings, settings.kafka.commands_topic)


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> Command:
    return Command(settings, tmp_path)


def test_the_command_lists_shows_and_replays_letters(settings: Settings, commands: Topic, command: Command) -> None:
    texts = [b'{"type":"dance"}', b"\x1b[31mred\x00", None, b"last"]
    write_dead_letters(settings, *(commands.write(text) for text in texts))
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


def test_a_foreign_message_among_the_letters_is_listed_and_not_replayed(
    settings: Settings, commands: Topic, command: Command
) -> None:
    letters = Topic(settings, settings.kafka.dead_letters_topic)
    for value in (b"garbage", b"", None, b'{"type":"dead_letter","reason":"\xff"}', b"[" * 100_000):
        letters.write(value)
    write_dead_letters(settings, commands.write(b"x"))
    listed = command.says("dead-letters")
    assert [letter["reason"] for letter in listed[1:]] == ["not a dead letter"] * 5
    assert command.says("replay", listed[1]["id"], "--yes", code=1)["not_sent"][0]["id"] == listed[1]["id"]
    assert command.says("replay", "--all", "--yes")["sent"] == [listed[0]["id"]]
    assert len(commands.read()) == 2


def test_the_lag_command_exits_with_3_when_the_lag_is_too_high(
    settings: Settings, commands: Topic, command: Command
) -> None:
    commands.write(b"x")
    for topic in (settings.kafka.payments_topic, settings.kafka.events_topic):
        Topic(settings, topic).write(b"x")
    group, payments, archive = command.says("lag")
    assert (group["group"], group["lag"]) == (settings.kafka.door_group, 1)
    assert (payments["group"], payments["lag"]) == (settings.kafka.payments_group, 1)
    assert (archive["group"], archive["lag"]) == (settings.kafka.archive_group, 1)
    assert command.says("lag", "--most", "1") == [group, payments, archive]
    command.says("lag", "--most", "0", code=3)
    said = command.run("lag").stdout
    assert said.count("1 messages wait in 1 of") == 3
    partitions = sum(len(each["partitions"]) for each in (group, payments, archive))
    assert len(command.run("lag", "--every").stdout.splitlines()) == 6 + partitions


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
def test_wrong_usage_exits_with_2(words: list[str], tmp_path: Path) -> None:
    assert Command(Settings(kafka=KafkaSettings(bootstrap_servers="x:1")), tmp_path).run(*words).returncode == 2


@pytest.mark.parametrize(
    "words", [["lag"], ["dead-letters"], ["dead-letters", "show", "0:0"], ["replay", "--all"]], ids=" ".join
)
def test_without_kafka_the_fix_is_shown_in_one_line(words: list[str], tmp_path: Path) -> None:
    for servers, why in (("", "no stack is running"), ("127.0.0.1:1", "is unavailable")):
        done = Command(Settings(kafka=KafkaSettings(bootstrap_servers=servers)), tmp_path).run(*words)
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert why in done.stderr
        assert "fitmonitor up" in done.stderr


def test_an_unknown_letter_is_reported(settings: Settings, command: Command) -> None:
    Topic(settings, settings.kafka.dead_letters_topic).read()
    for words in (["dead-letters", "show", "0:99"], ["dead-letters", "--after", "0:99"], ["replay", "0:99", "--yes"]):
        done = command.run(*words)
        assert (done.returncode, "there is no letter 0:99" in done.stderr) == (1, True)
