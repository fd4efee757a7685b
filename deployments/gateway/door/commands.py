"""Questions to the door that are no scans: a command, sent and waited for."""

from datetime import datetime
from uuid import UUID

from deployments.gateway.dependencies import Parts
from deployments.http.door_replies import answer_bytes
from deployments.http.problems import later
from deployments.qr.scan_exchange import no_answer
from integrations.kafka.door_commands import NoAnswerInTime
from integrations.kafka.messages import DoorCommand, ReplyKind


async def ask_door(parts: Parts, command: DoorCommand, gym_id: UUID, decide_by: datetime, wanted: ReplyKind) -> bytes:
    """The answer to a command, as JSON.

    Raises:
        ApiProblem: the door rejects it, does not answer in time, or cannot be heard yet.
    """
    if not parts.replies.ready:
        raise later("unavailable", "Answers from the door cannot be received yet.")
    try:
        reply = await parts.commands.send(command, gym_id, decide_by)
    except NoAnswerInTime as error:
        raise no_answer() from error
    return answer_bytes(reply, wanted)
