"""Sending commands to the door, and its replies as answers of the API."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

import msgspec

from deployments.http.error_codes import KINDS
from deployments.http.ports import DoorCommands, Replies
from deployments.http.problems import ApiProblem, retryable
from domain.door.model import Rejected
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.messages import DoorCommand, DoorReply, ReplyKind

_SERVICE_UNAVAILABLE = 503
_rejected = msgspec.json.Decoder(Rejected)


class DoorAccess(Protocol):
    """What it takes to send a command to the door."""

    @property
    def replies(self) -> Replies:
        """Receives the replies."""

    @property
    def commands(self) -> DoorCommands:
        """Sends commands and awaits their replies."""


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """The door's answer as JSON, or the problem in its place. Plain data, because it crosses a handle."""

    body: bytes = b""
    code: str = ""
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def of(cls, asking: Awaitable[bytes]) -> Self:
        """Await an answer; an `ApiProblem` becomes a value."""
        try:
            return cls(await asking)
        except ApiProblem as problem:
            return cls(code=problem.code, detail=problem.detail, headers=problem.headers)

    def unwrap(self) -> bytes:
        """The answer.

        Raises:
            ApiProblem: the problem in its place.
        """
        if self.code:
            raise ApiProblem(self.code, self.detail, headers=self.headers)
        return self.body


async def ask_door(
    door: DoorAccess, command: DoorCommand, gym_id: UUID, decide_by: datetime, expected: ReplyKind
) -> bytes:
    """Send a command that is not a scan and await its answer.

    Args:
        door: the way there.
        command: with the `reply_to` of `door.replies`.
        gym_id: the gym whose order the command belongs to.
        decide_by: the command's own deadline.
        expected: the kind of the expected reply.

    Returns:
        The answer as JSON.

    Raises:
        ApiProblem: the door rejects the command, does not answer in time, or replies cannot be received yet.
    """
    check_replies(door.replies)
    try:
        reply = await door.commands.send(command, gym_id, decide_by)
    except NoAnswerInTime as error:
        raise no_answer() from error
    return answer_bytes(reply, expected)


def check_replies(replies: Replies) -> None:
    """Refuse a question whose answer could not be received.

    Raises:
        ApiProblem: `unavailable`.
    """
    if not replies.ready:
        raise retryable("unavailable", "Answers from the door cannot be received yet.")


def no_answer() -> ApiProblem:
    """No reply came before the deadline. The decision is unknown; after the deadline there will be none."""
    return retryable(
        "no_answer_in_time",
        "There was no decision by the deadline. Repeat the scan with the same scan_id, or annul it.",
    )


def answer_bytes(reply: DoorReply, expected: ReplyKind) -> bytes:
    """The reply's JSON, as the door wrote it.

    Raises:
        ApiProblem: the door rejected the command, or sent a reply of another kind.
    """
    if reply.kind == expected:
        return bytes(reply.body)
    if reply.kind == "rejected":
        rejected = _rejected.decode(reply.body)
        code = rejected.problem.value
        if KINDS[code].status == _SERVICE_UNAVAILABLE:
            raise retryable(code, rejected.detail)
        raise ApiProblem(code, rejected.detail)
    raise retryable("not_decided", "The door answered another question than was put.")
