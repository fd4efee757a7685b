"""Using a machine, and releasing it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Request, Response

from deployments.gateway.dependencies import OfParts, Parts
from deployments.gateway.door.list_schemas import MachineAnswerDocument, NewMachineRequest
from deployments.gateway.machines.use_commands import decide_wish
from deployments.http.auth import UserAsker
from deployments.http.dependencies import TheUser
from deployments.http.idempotency import IdempotencyKey, id_of_key
from deployments.http.problems import declared
from deployments.http.route_guard import guarded_router
from domain.door.machine_model import MachineAction

_PROBLEMS = declared("unknown_machine", "request_id_reused", "no_answer_in_time", "not_decided")
_Wanted = Annotated[NewMachineRequest | None, Body()]


def _own_or_made_of_key(request: Request, wanted: _Wanted = None, key: IdempotencyKey = None) -> str | None:
    own = None if wanted is None else wanted.request_id
    return own or id_of_key(request, key)


_RequestId = Annotated[str | None, Depends(_own_or_made_of_key)]


def router() -> APIRouter:
    """The calls of a member at a machine."""
    routes = guarded_router("machines")

    @routes.post("/machines/{machine_id}/use", response_model=MachineAnswerDocument, responses=_PROBLEMS)
    async def use(machine_id: UUID, user: TheUser, parts: OfParts, request_id: _RequestId) -> Response:
        """Use a machine: who is inside its gym, one machine at a time. Leaving the gym releases it."""
        return await _decided(parts, user, MachineAction.USE, machine_id, request_id)

    @routes.post("/machines/{machine_id}/release", response_model=MachineAnswerDocument, responses=_PROBLEMS)
    async def release(machine_id: UUID, user: TheUser, parts: OfParts, request_id: _RequestId) -> Response:
        """Release the machine that one uses; staff release it for whoever does."""
        return await _decided(parts, user, MachineAction.RELEASE, machine_id, request_id)

    return routes


async def _decided(
    parts: Parts, user: UserAsker, action: MachineAction, machine_id: UUID, request_id: str | None
) -> Response:
    answer = await decide_wish(parts, user.id, action, machine_id, request_id=request_id, is_staff=user.is_staff)
    return Response(answer, media_type="application/json")
