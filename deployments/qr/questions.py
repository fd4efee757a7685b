"""What the Gateway asks Qr about scans, many in one handle call, in a compact form."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from domain.door.model import Direction, PassReading, ScanRequest
from integrations.kafka.messages import ReplyTo


class ScanQuestion(msgspec.Struct, frozen=True, array_like=True):
    """One scan whose pass is still to be read.

    Args:
        command_id: under which the Gateway waits for the answer.
        reply_to: where it waits.
        scan_id, asked_by, gym_id, gate_id, direction, scanned_at, arrived_at, decide_by, payment_checked:
            as in `domain.door.model.ScanRequest`.
        code: what was scanned, whatever it is.
        offline: it was made while the server was out of reach, and is uploaded now.
    """

    command_id: UUID
    reply_to: ReplyTo
    scan_id: str
    asked_by: UUID
    gym_id: UUID
    gate_id: UUID
    direction: Direction
    code: str
    arrived_at: datetime
    decide_by: datetime
    scanned_at: datetime | None = None
    payment_checked: bool = False
    offline: bool = False

    def with_reading(self, reading: PassReading) -> ScanRequest:
        """The scan as it is put to the door, once its pass was read."""
        return ScanRequest(
            scan_id=self.scan_id,
            asked_by=self.asked_by,
            gym_id=self.gym_id,
            gate_id=self.gate_id,
            direction=self.direction,
            reading=reading,
            arrived_at=self.arrived_at,
            decide_by=self.decide_by,
            scanned_at=self.scanned_at,
            payment_checked=self.payment_checked,
        )


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_decoder = msgspec.msgpack.Decoder(ScanQuestion)
_splitter = msgspec.msgpack.Decoder(list[msgspec.Raw])
_NOTHING = msgspec.Raw(msgspec.msgpack.encode(None))
_log = structlog.get_logger(__name__)


def encode_questions(questions: Sequence[ScanQuestion]) -> bytes:
    """A batch for `Qr.check`; a question that cannot be encoded is nothing in it, at its place."""
    return _encoder.encode([_encoded(question) for question in questions])


def decode_questions(batch: bytes) -> list[ScanQuestion | None]:
    """The questions of a batch; None for each that cannot be decoded.

    Raises:
        msgspec.DecodeError: it is not a batch that this version knows.
    """
    return [_decoded(raw) for raw in _splitter.decode(batch)]


def _encoded(question: ScanQuestion) -> msgspec.Raw:
    try:
        return msgspec.Raw(_encoder.encode(question))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other questions of the batch are sent
        _log.warning("question_not_encoded", command_id=str(question.command_id), error=type(error).__name__)
        return _NOTHING


def _decoded(raw: msgspec.Raw) -> ScanQuestion | None:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, ValueError) as error:
        if raw != _NOTHING:
            _log.warning("question_not_decoded", error=str(error))
        return None


def encode_produced(produced: Sequence[bool]) -> bytes:
    """What `Qr.check` returns: a byte for each question, 1 where its command is on its way."""
    return bytes(produced)


def decode_produced(answer: bytes, count: int) -> list[bool]:
    """For each of `count` questions, in their order, whether its command is on its way to the door.

    Raises:
        ValueError: the answer belongs to another number of questions.
    """
    if len(answer) != count:
        raise ValueError(f"{count} questions were answered by {len(answer)} flags")
    return [flag == 1 for flag in answer]
