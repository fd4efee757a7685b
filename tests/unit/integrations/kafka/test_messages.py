from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.door.model import (
    Direction,
    EndVisitAnswer,
    EndVisitRequest,
    ExpireVisitsRequest,
    Inferred,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanRequest,
)
from integrations.kafka.messages import (
    MAX_COMMAND_BYTES,
    DeadLetter,
    DeadLetterReplayed,
    DoorReplies,
    EndVisitCommand,
    ExpireVisitsCommand,
    ReplyTo,
    ScanCommand,
    decode_command,
    decode_dead_letter,
    decode_replies,
    encode,
    reply,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
COMMAND = ScanCommand(
    UUID(int=7),
    ReplyTo("gateway", 3),
    ScanRequest(
        "s",
        UUID(int=1),
        UUID(int=2),
        UUID(int=3),
        Direction.AUTO,
        PassReading(PassStatus.FORGED),
        NOW,
        NOW + timedelta(seconds=1.8),
    ),
)
END_VISIT = EndVisitCommand(
    UUID(int=7),
    ReplyTo("gateway", 3),
    EndVisitRequest(UUID(int=1), UUID(int=2), Inferred.ACCOUNT_DELETED, NOW, NOW + timedelta(seconds=1.8)),
)
TIDY = (
    b'{"type":"tidy","command_id":"00000000-0000-0000-0000-000000000007","tidy":{"gym_id":'
    b'"00000000-0000-0000-0000-000000000001","arrived_at":"2026-03-01T12:00:00.123456Z"},"reply_to":null,"version":1}'
)
DEEP = b"[" * 5000 + b"]" * 5000


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(encode(COMMAND)) | fields)


def test_a_decoded_command_equals_the_encoded_one() -> None:
    assert decode_command(encode(COMMAND)) == COMMAND
    assert decode_command(encode(END_VISIT)) == END_VISIT


def test_the_validity_of_a_pass_is_optional_in_a_command() -> None:
    def read(**reading: object) -> PassReading:
        scan = msgspec.json.decode(encode(COMMAND))["scan"] | {"reading": reading}
        command = decode_command(changed(scan=scan))
        assert isinstance(command, ScanCommand)
        return command.scan.reading

    genuine = {"status": "valid", "member_id": str(UUID(int=5)), "issued_at": "2026-03-01T12:00:00Z"}
    assert read(**genuine).validity is None, "as an older version writes it"
    assert read(**genuine, validity_s=300).validity == timedelta(minutes=5)
    assert encode(COMMAND).count(b'"validity_s":null') == 1


def test_a_command_to_end_a_visit_is_written_as_replicas_of_another_version_read_it() -> None:
    assert msgspec.json.decode(encode(END_VISIT)) == {
        "type": "end_visit",
        "command_id": str(UUID(int=7)),
        "reply_to": {"replica": "gateway", "partition": 3},
        "end": {
            "member_id": str(UUID(int=1)),
            "gym_id": str(UUID(int=2)),
            "inferred": "account_deleted",
            "arrived_at": "2026-03-01T12:00:00.123456Z",
            "decide_by": "2026-03-01T12:00:01.923456Z",
        },
        "version": 1,
    }


def test_the_reply_to_an_ended_visit_has_its_own_kind() -> None:
    answer = EndVisitAnswer(UUID(int=1), UUID(int=2), ended=True, occupancy=3, capacity=9, decided_at=NOW)
    message = reply(UUID(int=9), answer)
    assert message.kind == "end_visit_answer"
    assert msgspec.json.decode(message.body, type=EndVisitAnswer) == answer


def test_fields_that_this_version_does_not_know_are_ignored() -> None:
    assert decode_command(changed(colour="red")) == COMMAND


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b"null",
        b"\xff\xfe",
        changed(version=2),
        changed(type="dance"),
        changed(command_id="x"),
        changed(reply_to={"replica": "gateway", "partition": -1}),
        changed(reply_to={"replica": "gateway", "partition": 2**40}),
        changed(scan={"scan_id": "s"}),
        encode(COMMAND).replace(b'"gateway"', b'"\xff"'),
        encode(COMMAND).replace(b'"gateway"', b'"\\ud800"'),
        encode(COMMAND)[:-1] + b',"more":"' + b"x" * MAX_COMMAND_BYTES + b'"}',
        encode(COMMAND).replace(b'"forged"', b'"valid"'),
        encode(END_VISIT).replace(b'"account_deleted"', b'"bored"'),
        encode(COMMAND)[:-1] + b',"more":' + DEEP + b"}",
    ],
)
def test_an_invalid_command_or_another_version_is_not_decoded(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_command(value)


@pytest.mark.parametrize(
    "replica", [b'"\xff"', b'"\\ud800"', DEEP, b"9" * 5000], ids=["bytes", "surrogate", "deep", "long"]
)
def test_invalid_replies_and_letters_raise_a_decode_error_and_nothing_else(replica: bytes) -> None:
    bundle = encode(DoorReplies("gateway", []))
    letter = encode(DeadLetter("gateway", "topic", 1, 2, b""))
    for decode, value in ((decode_replies, bundle), (decode_dead_letter, letter)):
        with pytest.raises(msgspec.DecodeError):
            decode(value.replace(b'"gateway"', replica))


@given(value=st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_decode_error(value: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_command(value)


def test_decoded_replies_equal_the_encoded_ones() -> None:
    replies = [reply(UUID(int=9), Rejected(Problem.UNKNOWN_GYM, "no such gym"))]
    bundle = decode_replies(encode(DoorReplies("gateway", replies)))
    assert bundle.replica == "gateway"
    assert [(one.command_id, one.kind, bytes(one.body)) for one in bundle.replies] == [
        (UUID(int=9), "rejected", b'{"problem":"unknown_gym","detail":"no such gym"}')
    ]


def test_a_dead_letter_keeps_any_bytes() -> None:
    letter = DeadLetter("reason", "topic", 1, 2, bytes(range(256)))
    assert decode_dead_letter(encode(letter)) == letter


def test_a_dead_letter_without_the_field_whole_is_decoded() -> None:
    earlier = b'{"type":"dead_letter","reason":"r","topic":"t","partition":1,"offset":2,"value":"eA==","version":1}'
    assert decode_dead_letter(earlier) == DeadLetter("r", "t", 1, 2, b"x", whole=True)


def test_a_decoded_replay_mark_equals_the_encoded_one() -> None:
    assert decode_dead_letter(encode(DeadLetterReplayed(1, 2))) == DeadLetterReplayed(1, 2)


def test_a_command_to_expire_visits_has_the_same_form_as_before_its_class_was_renamed() -> None:
    command = decode_command(TIDY)
    assert command == ExpireVisitsCommand(UUID(int=7), ExpireVisitsRequest(UUID(int=1), NOW))
    assert encode(command) == TIDY
