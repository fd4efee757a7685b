from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import msgspec
import pytest

from deployments.qr.pass_check import PassCheck
from deployments.qr.questions import ScanQuestion, decode_produced, decode_questions, encode_questions
from domain.door.model import Direction, PassReading, PassStatus
from domain.ids import new_id
from domain.passes import subject_of
from integrations.kafka.messages import DoorCommand, OfflineScanCommand, ReplyTo, ScanCommand, decode_command, encode
from integrations.pass_keys import PassSigner, PassVerifier, ensure_pass_key

MEMBER = UUID("01981b2c-7a11-7bbb-8ccc-0123456789ab")
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class CommandLog:
    """Takes commands, except for the gyms that it is told to refuse."""

    def __init__(self) -> None:
        self.commands: list[tuple[UUID, Any]] = []
        self.refused: set[UUID] = set()

    def produce(self, commands: Sequence[tuple[UUID, DoorCommand]], /) -> list[bool]:
        for gym_id, command in commands:
            self.commands.append((gym_id, command))
        return [gym_id not in self.refused for gym_id, _ in commands]


class Stage:
    def __init__(self, key_dir: Path) -> None:
        ensure_pass_key(key_dir)
        self.key_dir = key_dir
        self.code = PassSigner(key_dir).sign(MEMBER, NOON)
        self.log = CommandLog()
        self.checks = PassCheck(PassVerifier(key_dir), self.log)

    def ask(self, *questions: ScanQuestion) -> list[bool]:
        return decode_produced(self.checks.check(encode_questions(questions)), len(questions))

    def question(self, code: str | None = None, **changes: object) -> ScanQuestion:
        question = ScanQuestion(
            command_id=new_id(),
            reply_to=ReplyTo("gateway#1", 3),
            scan_id="s-1",
            asked_by=uuid4(),
            gym_id=uuid4(),
            gate_id=uuid4(),
            direction=Direction.AUTO,
            code=self.code if code is None else code,
            arrived_at=NOON + timedelta(seconds=1),
            decide_by=NOON + timedelta(seconds=2.8),
        )
        return msgspec.structs.replace(question, **changes)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_scan_goes_to_its_gym_with_what_its_pass_says(stage: Stage) -> None:
    question = stage.question(scanned_at=NOON, payment_checked=True)
    assert stage.ask(question) == [True]
    [(gym_id, command)] = stage.log.commands
    assert isinstance(command, ScanCommand)
    assert gym_id == question.gym_id
    assert command.command_id == question.command_id
    assert command.reply_to == ReplyTo("gateway#1", 3)
    scan = command.scan
    assert (scan.reading.status, scan.reading.member_id, scan.reading.issued_at) == (PassStatus.VALID, MEMBER, NOON)
    for field in msgspec.structs.fields(ScanQuestion):
        if field.name not in {"command_id", "reply_to", "code", "offline"}:
            assert getattr(scan, field.name) == getattr(question, field.name)
    assert decode_command(encode(command)) == command


def test_a_scan_that_was_made_without_the_server_is_sent_as_one(stage: Stage) -> None:
    made_at = NOON + timedelta(hours=2)
    assert stage.ask(stage.question(offline=True, arrived_at=made_at, direction=Direction.LEAVE)) == [True]
    [(_, command)] = stage.log.commands
    assert isinstance(command, OfflineScanCommand)
    reading = command.offline.scan.reading
    assert (reading.status, reading.member_id, reading.issued_at) == (PassStatus.STALE, MEMBER, NOON)
    assert decode_command(encode(command)) == command


def test_a_pass_is_read_as_of_its_arrival_however_late_it_is_read(stage: Stage) -> None:
    in_time = stage.question(arrived_at=NOON + timedelta(seconds=45))
    late = stage.question(arrived_at=NOON + timedelta(seconds=46))
    early = stage.question(arrived_at=NOON - timedelta(seconds=11))
    stage.ask(in_time, late, early)
    assert [command.scan.reading.status for _, command in stage.log.commands] == [
        PassStatus.VALID,
        PassStatus.STALE,
        PassStatus.STALE,
    ]


@pytest.mark.parametrize("code", ["", "hello", "a.b.c", "\0", "ü" * 100, "x" * 100_000])
def test_what_is_no_pass_goes_to_the_door_as_forged_and_names_nobody(stage: Stage, code: str) -> None:
    assert stage.ask(stage.question(code)) == [True]
    reading = stage.log.commands[0][1].scan.reading
    assert (reading.status, reading.member_id, reading.issued_at) == (PassStatus.FORGED, None, None)


def test_each_question_is_told_by_itself_whether_its_command_is_on_its_way(stage: Stage) -> None:
    questions = [stage.question(), stage.question("x"), stage.question()]
    stage.log.refused = {questions[1].gym_id}
    assert stage.ask(*questions) == [True, False, True]


def test_an_empty_batch_is_answered_by_no_flags(stage: Stage) -> None:
    assert stage.ask() == []


def test_a_batch_of_another_shape_is_a_decode_error(stage: Stage) -> None:
    for batch in (b"", b"\xff", b"\x91\x91", msgspec.msgpack.encode({"a": 1})):
        with pytest.raises(msgspec.DecodeError):
            stage.checks.check(batch)


BEYOND_ANY_CLOCK = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59)))


@pytest.mark.parametrize(
    "changes", [{"scanned_at": BEYOND_ANY_CLOCK}, {"code": "\ud800"}, {"scan_id": 7}, {"direction": "up"}]
)
def test_a_question_that_cannot_be_sent_takes_no_other_with_it(stage: Stage, changes: dict[str, Any]) -> None:
    good, more = stage.question(), stage.question("x")
    assert stage.ask(good, stage.question(**changes), more) == [True, False, True]
    assert [command.command_id for _, command in stage.log.commands] == [good.command_id, more.command_id]


def test_a_pass_that_cannot_be_read_takes_no_other_with_it(stage: Stage) -> None:
    class Breaks(PassVerifier):
        def read(self, code: str, arrived_at: datetime) -> PassReading:
            if code == "breaks":
                raise RuntimeError(code)
            return super().read(code, arrived_at)

    stage.checks = PassCheck(Breaks(stage.key_dir), stage.log)
    assert stage.ask(stage.question(), stage.question("breaks"), stage.question("x")) == [True, False, True]


def test_questions_come_out_as_they_went_in_and_small(stage: Stage) -> None:
    questions = [stage.question(), stage.question(scanned_at=NOON)]
    batch = encode_questions(questions)
    assert decode_questions(batch) == questions
    assert len(batch) < 2 * 450


def test_flags_of_another_number_of_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="2 questions were answered by 1"):
        decode_produced(b"\x01", 2)


def test_public_keys_read_what_was_signed_and_nothing_else(tmp_path: Path) -> None:
    ensure_pass_key(tmp_path)
    code = PassSigner(tmp_path).sign(MEMBER, NOON)
    ((key_id, key),) = PassVerifier(tmp_path).public_keys().items()
    known = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": key_id, "x": key})
    assert jwt.get_unverified_header(code)["kid"] == key_id
    read = jwt.decode(code, known, algorithms=["EdDSA"], options={"verify_iat": False})
    assert read == {"sub": subject_of(MEMBER), "iat": int(NOON.timestamp())}
