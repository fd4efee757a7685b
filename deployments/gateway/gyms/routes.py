"""Gyms, and who is inside them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.schemas import GymDocument, InsideDocument, ListedScan, OccupancyDocument
from deployments.gym.door_records import DoorRecordService
from deployments.gym.gyms import GymService
from deployments.http.auth import sees_retired, within_reach
from deployments.http.dependencies import WhoeverAsks
from deployments.http.etags import tagged
from deployments.http.paging import Asked, Listing, listing
from deployments.http.problems import ApiProblem, declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from domain.door.list_model import ScanFilter
from domain.door.model import Outcome, Reason

_NO_GYM = "There is no such gym."


def router() -> APIRouter:
    """The calls about gyms."""
    routes = guarded_router("gyms")

    @routes.get("/gyms")
    async def gyms(
        parts: OfParts,
        asked: Asked,
        retired: Annotated[bool, Query(description="Those that were retired instead.")] = False,  # noqa: FBT002 - a query
    ) -> Listing[GymDocument]:
        """All gyms in operation."""
        return listing(await parts.gym(GymService.gyms, asked, retired=retired), GymDocument.model_validate)

    @routes.get("/gyms/{gym_id}", responses=declared("unknown_gym"))
    async def gym(gym_id: UUID, asker: WhoeverAsks, parts: OfParts, response: Response) -> GymDocument:
        """One gym; a retired one is shown to staff and its devices. A device sees its own."""
        within_reach(asker, gym_id)
        found = await parts.gym(GymService.gym, gym_id, retired=sees_retired(asker))
        if found is None:
            raise ApiProblem("unknown_gym", _NO_GYM)
        tagged(response, found.version)
        return GymDocument.model_validate(found)

    @routes.get("/gyms/{gym_id}/occupancy", responses=declared("unknown_gym"))
    async def occupancy(gym_id: UUID, asker: WhoeverAsks, parts: OfParts) -> OccupancyDocument:
        """How many are inside now: counted, not kept. A device sees its own gym."""
        within_reach(asker, gym_id)
        as_of = parts.clock()
        found = await parts.gym(DoorRecordService.occupancy, gym_id, retired=sees_retired(asker))
        if found is None:
            raise ApiProblem("unknown_gym", _NO_GYM)
        return OccupancyDocument(gym_id=gym_id, occupancy=found.occupancy, capacity=found.capacity, as_of=as_of)

    @routes.get("/gyms/{gym_id}/inside", responses=declared("unknown_gym"))
    async def inside(gym_id: UUID, parts: OfParts, asked: Asked) -> Listing[InsideDocument]:
        """Who is inside now, in the order in which they came: the roll call."""
        return listing(granted(await parts.gym(DoorRecordService.inside, gym_id, asked)), InsideDocument.model_validate)

    @routes.get("/gyms/{gym_id}/scans", responses=declared("unknown_gym"))
    async def scans(
        gym_id: UUID,
        parts: OfParts,
        asked: Asked,
        outcome: Outcome | None = None,
        reason: Reason | None = None,
        member: Annotated[UUID | None, Query(description="The member's id.")] = None,
    ) -> Listing[ListedScan]:
        """The scans at a gym, newest first, refused and annulled ones too."""
        wanted = ScanFilter(outcome, reason, member)
        return listing(granted(await parts.gym(DoorRecordService.scans, gym_id, wanted, asked)), ListedScan.of)

    return routes
