"""Every message on the topics, one type each.

Values are JSON with a `type` and a `version`. Unknown fields are ignored; an unknown type or
version fails to decode and goes to the dead letters.
"""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from domain.door.model import AnnulAnswer, AnnulRequest, CheckPayment, DoorResult, Rejected, ScanAnswer, ScanRequest


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


DoorCommand = ScanCommand | AnnulCommand

ReplyKind = Literal["scan_answer", "annul_answer", "rejected", "check_payment"]
KINDS: dict[type, ReplyKind] = {
    ScanAnswer: "scan_answer",
    AnnulAnswer: "annul_answer",
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

    `value` is the message's bytes, as base64 in the JSON.
    """

    reason: str
    topic: str
    partition: int
    offset: int
    value: bytes
    version: Literal[1] = 1


_encoder = msgspec.json.Encoder()
_commands: msgspec.json.Decoder[DoorCommand] = msgspec.json.Decoder(DoorCommand)
_replies = msgspec.json.Decoder(DoorReplies)


def encode(message: msgspec.Struct) -> bytes:
    """A message's value on its topic."""
    return _encoder.encode(message)


def decode_command(value: bytes) -> DoorCommand:
    """A value of `door-commands`.

    Raises:
        msgspec.DecodeError: it is not a command that this version knows.
    """
    return _commands.decode(value)


def decode_replies(value: bytes) -> DoorReplies:
    """A value of `door-replies`.

    Raises:
        msgspec.DecodeError: it is not a bundle of replies that this version knows.
    """
    return _replies.decode(value)


def reply(command_id: UUID, result: DoorResult) -> DoorReply:
    """The reply that carries a result."""
    return DoorReply(command_id=command_id, kind=KINDS[type(result)], body=msgspec.Raw(_encoder.encode(result)))
