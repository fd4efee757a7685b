"""Use and release of machines: one command to the door, one decision."""

from datetime import timedelta
from uuid import UUID

from deployments.gateway.dependencies import Dependencies
from deployments.gym.door_records import DoorRecordService
from deployments.http.door_replies import ask_door
from deployments.http.refusals import found
from domain.door.machine_model import MachineAction, MachineRequest
from domain.ids import new_id
from integrations.kafka.messages import MachineCommand


async def decide_machine_use(
    deps: Dependencies,
    user_id: UUID,
    action: MachineAction,
    machine_id: UUID,
    *,
    request_id: str | None = None,
    is_staff: bool = False,
) -> bytes:
    """Have the door decide whether a member may use or release a machine.

    Args:
        deps: the dependencies of the gateway.
        user_id: the caller.
        action: use or release.
        machine_id: the machine.
        request_id: the id that the client chose; None: a new one.
        is_staff: staff release the machine for any member.

    Returns:
        The decision, as JSON.

    Raises:
        ApiProblem: the machine does not exist, or the door does not answer.
    """
    place = found(await deps.gym(DoorRecordService.machine_place, machine_id), "unknown_machine")
    member_id = user_id
    if action is MachineAction.RELEASE and is_staff and place.used_by is not None:
        member_id = place.used_by
    now = deps.clock()
    request = MachineRequest(
        request_id=request_id or str(new_id()),
        asked_by=user_id,
        gym_id=place.gym_id,
        machine_id=machine_id,
        member_id=member_id,
        action=action,
        arrived_at=now,
        decide_by=now + timedelta(seconds=deps.settings.door.deadline_s),
    )
    command = MachineCommand(command_id=new_id(), reply_to=deps.replies.reply_to, machine=request)
    return await ask_door(deps, command, place.gym_id, request.decide_by, "machine_answer")
