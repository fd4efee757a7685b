"""The messages on all topics, one class per type.

Values are JSON with a `type` and a `version`. Unknown fields are ignored. An unknown type or version cannot be decoded,
and the message goes to the dead letters.
"""

from typing import Annotated, Literal, TypeVar
from uuid import UUID

import msgspec

from domain.door.machine_model import MachineAnswer, MachineRequest
from domain.door.model import (
    AnnulAnswer,
    AnnulRequest,
    CheckPayment,
    Direction,
    DoorResult,
    EndVisitAnswer,
    EndVisitRequest,
    ExpireVisitsAnswer,
    ExpireVisitsRequest,
    HeadCountAnswer,
    HeadCountRequest,
    OfflineAnswer,
    OfflineScan,
    PassReading,
    PassStatus,
    Rejected,
    ScanAnswer,
    ScanRequest,
)
from domain.payments.provider_events import PaymentEvent

T = TypeVar("T")

# Real commands have some hundred bytes. A whole batch of the largest commands fits into one SQL statement: the database
# closes the connection on a larger statement, and the consumer would retry the batch for ever.
MAX_COMMAND_BYTES = 16 * 1024


class ReplyTo(msgspec.Struct, frozen=True):
    """The address of a waiting replica: its id and its partition of `door-replies`."""

    replica: str
    partition: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class ScanCommand(msgspec.Struct, frozen=True, tag_field="type", tag="scan"):
    """On `door-commands`, key gym id: decide a scan."""

    command_id: UUID
    reply_to: ReplyTo
    scan: ScanRequest
    version: Literal[1] = 1


class AnnulCommand(msgspec.Struct, frozen=True, tag_field="type", tag="annul"):
    """On `door-commands`, key gym id: undo a scan."""

    command_id: UUID
    reply_to: ReplyTo
    annul: AnnulRequest
    version: Literal[1] = 1


class EndVisitCommand(msgspec.Struct, frozen=True, tag_field="type", tag="end_visit"):
    """On `door-commands`, key gym id: end a member's open visit without a scan."""

    command_id: UUID
    reply_to: ReplyTo
    end: EndVisitRequest
    version: Literal[1] = 1


class OfflineScanCommand(msgspec.Struct, frozen=True, tag_field="type", tag="offline_scan"):
    """On `door-commands`, key gym id: record a scan that a device decided while the server was unreachable."""

    command_id: UUID
    reply_to: ReplyTo
    offline: OfflineScan
    version: Literal[1] = 1


class HeadCountCommand(msgspec.Struct, frozen=True, tag_field="type", tag="head_count"):
    """On `door-commands`, key gym id: correct the occupancy after a head count."""

    command_id: UUID
    reply_to: ReplyTo
    count: HeadCountRequest
    version: Literal[1] = 1


class MachineCommand(msgspec.Struct, frozen=True, tag_field="type", tag="machine"):
    """On `door-commands`, key gym id: use or release a machine."""

    command_id: UUID
    reply_to: ReplyTo
    machine: MachineRequest
    version: Literal[1] = 1


class ExpireVisitsCommand(msgspec.Struct, frozen=True, tag_field="type", tag="tidy"):
    """On `door-commands`, key gym id: end forgotten visits and machine uses that have expired. No reply is expected.

    The type and the field are called `tidy` in JSON, so that consumers of every version read it.
    """

    command_id: UUID
    expire: ExpireVisitsRequest = msgspec.field(name="tidy")
    reply_to: None = None
    version: Literal[1] = 1


DoorCommand = (
    ScanCommand
    | AnnulCommand
    | EndVisitCommand
    | OfflineScanCommand
    | HeadCountCommand
    | MachineCommand
    | ExpireVisitsCommand
)

ReplyKind = Literal[
    "scan_answer",
    "annul_answer",
    "end_visit_answer",
    "offline_answer",
    "head_count_answer",
    "machine_answer",
    "tidy_answer",
    "rejected",
    "check_payment",
]
_REPLY_KINDS: dict[type, ReplyKind] = {
    ScanAnswer: "scan_answer",
    AnnulAnswer: "annul_answer",
    EndVisitAnswer: "end_visit_answer",
    OfflineAnswer: "offline_answer",
    HeadCountAnswer: "head_count_answer",
    MachineAnswer: "machine_answer",
    ExpireVisitsAnswer: "tidy_answer",
    Rejected: "rejected",
    CheckPayment: "check_payment",
}


class DoorReply(msgspec.Struct, frozen=True):
    """The result of one command.

    Args:
        body: the result as JSON, which the waiting replica can pass on without decoding it.
    """

    command_id: UUID
    kind: ReplyKind
    body: msgspec.Raw


class DoorReplies(msgspec.Struct, frozen=True, tag_field="type", tag="door_replies"):
    """On `door-replies`: the results of one batch for one replica."""

    replica: str
    replies: list[DoorReply]
    version: Literal[1] = 1


class DeadLetter(msgspec.Struct, frozen=True, tag_field="type", tag="dead_letter"):
    """On `dead-letters`, with the key of the message: a message that could not be handled, and the reason.

    Args:
        reason: why it could not be handled.
        topic, partition, offset: its original position.
        value: its value, as base64 in the JSON; None when it had none.
        whole: False when the message is too large for a letter. Then `value` is an excerpt, and the whole message is at
            its original position until the retention of that topic ends.
    """

    reason: str
    topic: str
    partition: int
    offset: int
    value: bytes | None
    whole: bool = True
    version: Literal[1] = 1


class DeadLetterReplayed(msgspec.Struct, frozen=True, tag_field="type", tag="replayed"):
    """On `dead-letters`, with the key of the letter: the letter at this position was replayed."""

    partition: int
    offset: int
    version: Literal[1] = 1


_encoder = msgspec.json.Encoder()
_command_decoder: msgspec.json.Decoder[DoorCommand] = msgspec.json.Decoder(DoorCommand)
_replies_decoder = msgspec.json.Decoder(DoorReplies)
_payment_event_decoder = msgspec.json.Decoder(PaymentEvent)
_dead_letter_decoder: msgspec.json.Decoder[DeadLetter | DeadLetterReplayed] = msgspec.json.Decoder(
    DeadLetter | DeadLetterReplayed
)


def encode(message: msgspec.Struct) -> bytes:
    """Encode a message as the value on its topic."""
    return _encoder.encode(message)


def decode_command(value: bytes) -> DoorCommand:
    """Decode a value of `door-commands`.

    Raises:
        msgspec.DecodeError: not a valid command of this version.
    """
    if len(value) > MAX_COMMAND_BYTES:
        raise msgspec.DecodeError(f"Command has {len(value)} bytes and exceeds {MAX_COMMAND_BYTES} bytes")
    command = _decode(_command_decoder, value)
    if isinstance(command, ScanCommand | OfflineScanCommand):
        _check_scan(command)
    return command


def decode_replies(value: bytes) -> DoorReplies:
    """Decode a value of `door-replies`.

    Raises:
        msgspec.DecodeError: not a valid message of this version.
    """
    return _decode(_replies_decoder, value)


def decode_payment_event(value: bytes) -> PaymentEvent:
    """Decode a value of `payment-events`.

    Raises:
        msgspec.DecodeError: not a valid event of this version.
    """
    return _decode(_payment_event_decoder, value)


def decode_dead_letter(value: bytes) -> DeadLetter | DeadLetterReplayed:
    """Decode a value of `dead-letters`.

    Raises:
        msgspec.DecodeError: not a valid message of this version.
    """
    return _decode(_dead_letter_decoder, value)


def reply(command_id: UUID, result: DoorResult) -> DoorReply:
    """The reply to a command, with its result."""
    return DoorReply(command_id=command_id, kind=_REPLY_KINDS[type(result)], body=msgspec.Raw(_encoder.encode(result)))


def _check_scan(command: ScanCommand | OfflineScanCommand) -> None:
    scan = command.scan if isinstance(command, ScanCommand) else command.offline.scan
    if not _has_member_and_issue_time(scan.reading):
        # Without its issue time a pass could admit twice.
        raise msgspec.ValidationError("A genuine pass needs a member and an issue time")
    if isinstance(command, OfflineScanCommand) and scan.direction is Direction.AUTO:
        raise msgspec.ValidationError("An offline scan needs the direction enter or leave")


def _has_member_and_issue_time(reading: PassReading) -> bool:
    forged = reading.status is PassStatus.FORGED
    return forged or (reading.member_id is not None and reading.issued_at is not None)


def _decode(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    try:
        return decoder.decode(value)
    except UnicodeDecodeError as error:  # msgspec does not convert this error inside a string
        raise msgspec.DecodeError(f"Not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("Nested too deeply") from error
