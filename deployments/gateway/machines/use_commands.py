"""A wish about a machine on its way to the door."""

from datetime import timedelta
from uuid import UUID

from deployments.gateway.dependencies import Parts
from deployments.gym.desk import GymDesk
from deployments.http.door_replies import ask_door
from deployments.http.problems import ApiProblem
from domain.door.machine_model import MachineAction, MachineRequest
from domain.ids import new_id
from integrations.kafka.messages import MachineCommand


async def decide_wish(
    parts: Parts,
    user_id: UUID,
    action: MachineAction,
    machine_id: UUID,
    *,
    request_id: str | None = None,
    is_staff: bool = False,
) -> bytes:
    """The door's answer, as JSON.

    Args:
        request_id: the client's own.
        is_staff: they release a machine for whoever uses it.

    Raises:
        ApiProblem: there is no such machine, or no answer.
    """
    place = await parts.gym(GymDesk.machine_place, machine_id)
    if place is None:
        raise ApiProblem("unknown_machine", "There is no such machine.")
    whose = user_id
    if action is MachineAction.RELEASE and is_staff and place.used_by is not None:
        whose = place.used_by
    now = parts.clock()
    request = MachineRequest(
        request_id=request_id or str(new_id()),
        asked_by=user_id,
        gym_id=place.gym_id,
        machine_id=machine_id,
        member_id=whose,
        action=action,
        arrived_at=now,
        decide_by=now + timedelta(seconds=parts.settings.door.deadline_s),
    )
    command = MachineCommand(command_id=new_id(), reply_to=parts.replies.reply_to, machine=request)
    return await ask_door(parts, command, place.gym_id, request.decide_by, "machine_answer")
