"""Machines: what stands in a gym, and what the staff say of it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.machines.schemas import MachineDocument, MachineEdit, OutOfOrder
from deployments.gym.machines import MachineService
from deployments.http.auth import sees_retired
from deployments.http.dependencies import WhoeverAsks
from deployments.http.etags import PROBLEMS as VERSION_PROBLEMS
from deployments.http.etags import ExpectedVersion, tagged
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from domain.machines.model import Machine, MachineFilter


def router() -> APIRouter:
    """The calls about machines, without their pictures."""
    routes = guarded_router("machines")

    @routes.get("/gyms/{gym_id}/machines", responses=declared("unknown_gym"))
    async def machines(
        gym_id: UUID,
        asker: WhoeverAsks,
        parts: OfParts,
        asked: Asked,
        type: Annotated[str | None, Query(max_length=50, description="Of this type only.")] = None,  # noqa: A002 - the interface's word
        free: Annotated[bool | None, Query(description="Those that may be used now, or those that may not.")] = None,
        *,
        retired: Annotated[bool, Query(description="Also those that are out of service.")] = False,
    ) -> Listing[MachineDocument]:
        """The machines of a gym."""
        wanted = MachineFilter(type, free, retired)
        found = await parts.gym(MachineService.machines, gym_id, wanted, asked, retired_gym=sees_retired(asker))
        return listing(granted(found), MachineDocument.of)

    @routes.get("/machines/{machine_id}", responses=declared("unknown_machine"))
    async def machine(machine_id: UUID, parts: OfParts, response: Response) -> MachineDocument:
        """One machine, also one that is out of service. Its `ETag` is what a change expects."""
        return shown(granted(await parts.gym(MachineService.machine, machine_id)), response)

    @routes.patch("/machines/{machine_id}", responses=declared("unknown_machine", *VERSION_PROBLEMS))
    async def edit(
        machine_id: UUID, wanted: MachineEdit, expected: ExpectedVersion, parts: OfParts, response: Response
    ) -> MachineDocument:
        """Change what is written of a machine."""
        changed = await parts.gym(MachineService.edit, machine_id, wanted.as_change(), expected)
        return shown(granted(changed), response)

    @routes.delete(
        "/machines/{machine_id}",
        status_code=204,
        responses=declared("unknown_machine", "machine_in_use", *VERSION_PROBLEMS),
    )
    async def delete(machine_id: UUID, expected: ExpectedVersion, parts: OfParts) -> Response:
        """Delete a machine that nobody is on. What members did on it stays theirs."""
        granted(await parts.gym(MachineService.delete, machine_id, expected))
        return Response(status_code=204)

    _add_states(routes)
    return routes


def _add_states(routes: APIRouter) -> None:
    @routes.post("/machines/{machine_id}/retire", responses=declared("unknown_machine"))
    async def retire(machine_id: UUID, parts: OfParts, response: Response) -> MachineDocument:
        """Take a machine out of service; it is in no list then, but still there. Once more changes nothing."""
        return shown(granted(await parts.gym(MachineService.set_retired, machine_id, True)), response)  # noqa: FBT003 - crosses a handle

    @routes.post("/machines/{machine_id}/reopen", responses=declared("unknown_machine"))
    async def reopen(machine_id: UUID, parts: OfParts, response: Response) -> MachineDocument:
        """Bring a machine back into service. Once more changes nothing."""
        return shown(granted(await parts.gym(MachineService.set_retired, machine_id, False)), response)  # noqa: FBT003 - crosses a handle

    @routes.put("/machines/{machine_id}/out-of-order", responses=declared("unknown_machine"))
    async def out_of_order(machine_id: UUID, wanted: OutOfOrder, parts: OfParts, response: Response) -> MachineDocument:
        """Say that a machine cannot be used, and why."""
        return shown(granted(await parts.gym(MachineService.set_out_of_order, machine_id, wanted.reason)), response)

    @routes.delete("/machines/{machine_id}/out-of-order", responses=declared("unknown_machine"))
    async def in_order(machine_id: UUID, parts: OfParts, response: Response) -> MachineDocument:
        """Say that a machine can be used again. Once more changes nothing."""
        return shown(granted(await parts.gym(MachineService.set_out_of_order, machine_id, None)), response)


def shown(machine: Machine, response: Response) -> MachineDocument:
    """A machine as it is answered, with its version as `ETag`."""
    tagged(response, machine.version)
    return MachineDocument.of(machine)
