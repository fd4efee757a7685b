"""Every message on the topics, one type each.

Values are JSON with a `type` and a `version`. Unknown fields are ignored; an unknown type or
version fails to decode and goes to the dead letters.
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
    HeadCountAnswer,
    HeadCountRequest,
    OfflineAnswer,
    OfflineScan,
    PassReading,
    PassStatus,
    Rejected,
    ScanAnswer,
    ScanRequest,
    TidyAnswer,
    TidyRequest,
)
from domain.payments.provider_events import PaymentEvent

T = TypeVar("T")

# Ours have some hundred bytes. A whole batch of the longest still fits one statement of the database, which ends the
# connection of whoever sends a longer one: that would look as if the database were away.
LONGEST_COMMAND = 16 * 1024


class ReplyTo(msgspec.Struct, frozen=True):
    """Where the asking replica listens: the partition of `door-replies`, and its own id."""

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
    """On `door-commands`, key gym id: end a member's open visit there without a scan."""

    command_id: UUID
    reply_to: ReplyTo
    end: EndVisitRequest
    version: Literal[1] = 1


class OfflineScanCommand(msgspec.Struct, frozen=True, tag_field="type", tag="offline_scan"):
    """On `door-commands`, key gym id: record a scan that a device made while the server was out of reach."""

    command_id: UUID
    reply_to: ReplyTo
    offline: OfflineScan
    version: Literal[1] = 1


class HeadCountCommand(msgspec.Struct, frozen=True, tag_field="type", tag="head_count"):
    """On `door-commands`, key gym id: take a head count in."""

    command_id: UUID
    reply_to: ReplyTo
    count: HeadCountRequest
    version: Literal[1] = 1


class MachineCommand(msgspec.Struct, frozen=True, tag_field="type", tag="machine"):
    """On `door-commands`, key gym id: use a machine, or release it."""

    command_id: UUID
    reply_to: ReplyTo
    machine: MachineRequest
    version: Literal[1] = 1


class TidyCommand(msgspec.Struct, frozen=True, tag_field="type", tag="tidy"):
    """On `door-commands`, key gym id: end what was forgotten. Nobody waits for its answer."""

    command_id: UUID
    tidy: TidyRequest
    reply_to: None = None
    version: Literal[1] = 1


DoorCommand = (
    ScanCommand | AnnulCommand | EndVisitCommand | OfflineScanCommand | HeadCountCommand | MachineCommand | TidyCommand
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
KINDS: dict[type, ReplyKind] = {
    ScanAnswer: "scan_answer",
    AnnulAnswer: "annul_answer",
    EndVisitAnswer: "end_visit_answer",
    OfflineAnswer: "offline_answer",
    HeadCountAnswer: "head_count_answer",
    MachineAnswer: "machine_answer",
    TidyAnswer: "tidy_answer",
    Rejected: "rejected",
    CheckPayment: "check_payment",
}


class DoorReply(msgspec.Struct, frozen=True):
    """The result of one command. `body` is the JSON of the result, passed on without another decoding."""

    command_id: UUID
    kind: ReplyKind
    body: msgspec.Raw


class DoorReplies(msgspec.Struct, frozen=True, tag_field="type", tag="door_replies"):
    """On `door-replies`: all results of one batch for one replica."""

    replica: str
    replies: list[DoorReply]
    version: Literal[1] = 1


class DeadLetter(msgspec.Struct, frozen=True, tag_field="type", tag="dead_letter"):
    """On `dead-letters`, key as it was: a message that could not be handled, and why.

    `value` is the message's bytes, as base64 in the JSON; None of a message that had none. When not `whole`, the
    message is too large for a letter: `value` is its beginning, and all of it lies where `offset` says, for as long
    as that topic keeps it.
    """

    reason: str
    topic: str
    partition: int
    offset: int
    value: bytes | None
    whole: bool = True
    version: Literal[1] = 1


class Replayed(msgspec.Struct, frozen=True, tag_field="type", tag="replayed"):
    """On `dead-letters`, key as the letter's: the letter at this place was sent to its topic again."""

    partition: int
    offset: int
    version: Literal[1] = 1


_encoder = msgspec.json.Encoder()
_commands: msgspec.json.Decoder[DoorCommand] = msgspec.json.Decoder(DoorCommand)
_replies = msgspec.json.Decoder(DoorReplies)
_payment_events = msgspec.json.Decoder(PaymentEvent)
_letters: msgspec.json.Decoder[DeadLetter | Replayed] = msgspec.json.Decoder(DeadLetter | Replayed)


def encode(message: msgspec.Struct) -> bytes:
    """A message's value on its topic."""
    return _encoder.encode(message)


def decode_command(value: bytes) -> DoorCommand:
    """A value of `door-commands`.

    Raises:
        msgspec.DecodeError: it is not a command that this version knows.
    """
    if len(value) > LONGEST_COMMAND:
        raise msgspec.DecodeError(f"a command has {LONGEST_COMMAND} bytes at most, this has {len(value)}")
    command = _decoded(_commands, value)
    if isinstance(command, ScanCommand | OfflineScanCommand):
        _check_scan(command)
    return command


def decode_replies(value: bytes) -> DoorReplies:
    """A value of `door-replies`.

    Raises:
        msgspec.DecodeError: it is not a bundle of replies that this version knows.
    """
    return _decoded(_replies, value)


def decode_payment_event(value: bytes) -> PaymentEvent:
    """A value of `payment-events`.

    Raises:
        msgspec.DecodeError: it is no event that this version knows.
    """
    return _decoded(_payment_events, value)


def decode_letter(value: bytes) -> DeadLetter | Replayed:
    """A value of `dead-letters`.

    Raises:
        msgspec.DecodeError: it is nothing that this version writes there.
    """
    return _decoded(_letters, value)


def reply(command_id: UUID, result: DoorResult) -> DoorReply:
    """The reply that carries a result."""
    return DoorReply(command_id=command_id, kind=KINDS[type(result)], body=msgspec.Raw(_encoder.encode(result)))


def _check_scan(command: ScanCommand | OfflineScanCommand) -> None:
    scan = command.scan if isinstance(command, ScanCommand) else command.offline.scan
    if not _names_its_member(scan.reading):
        # Without its issue time nothing would keep a pass from admitting twice.
        raise msgspec.ValidationError("a genuine pass names its member and its issue time")
    if isinstance(command, OfflineScanCommand) and scan.direction is Direction.AUTO:
        raise msgspec.ValidationError("a device says which way it let somebody through without the server")


def _names_its_member(reading: PassReading) -> bool:
    forged = reading.status is PassStatus.FORGED
    return forged or (reading.member_id is not None and reading.issued_at is not None)


def _decoded(decoder: msgspec.json.Decoder[T], value: bytes) -> T:
    try:
        return decoder.decode(value)
    except UnicodeDecodeError as error:  # within a string; msgspec lets Python's own pass
        raise msgspec.DecodeError(f"not UTF-8: {error.reason}") from error
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
