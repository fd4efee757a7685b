"""How an account is deleted: marked, taken out of the gym by the door, forgotten. Each step may be repeated."""

from datetime import timedelta
from uuid import UUID

from deployments.gateway.dependencies import Parts
from deployments.http.door_replies import ask_door
from deployments.http.refusals import granted
from deployments.identity.desk import IdentityDesk
from domain.door.model import EndVisitRequest, Inferred
from domain.ids import new_id
from integrations.kafka.messages import EndVisitCommand


async def delete_account(parts: Parts, by: UUID, user_id: UUID) -> None:
    """Delete an account.

    Raises:
        ApiProblem: `unknown_user`, `last_admin`; `no_answer_in_time` or `unavailable`: ask again.
    """
    gym_id = granted(await parts.identity(IdentityDesk.begin_deleting, by, user_id))
    if gym_id is not None:
        await _end_visit(parts, user_id, gym_id)
    await parts.identity(IdentityDesk.finish_deleting, user_id)


async def _end_visit(parts: Parts, member_id: UUID, gym_id: UUID) -> None:
    now = parts.clock()
    end = EndVisitRequest(
        member_id=member_id,
        gym_id=gym_id,
        inferred=Inferred.ACCOUNT_DELETED,
        arrived_at=now,
        decide_by=now + timedelta(seconds=parts.settings.door.deadline_s),
    )
    command = EndVisitCommand(command_id=new_id(), reply_to=parts.replies.reply_to, end=end)
    await ask_door(parts, command, gym_id, end.decide_by, "end_visit_answer")
