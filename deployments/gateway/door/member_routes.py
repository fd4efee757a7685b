"""Visits of the caller."""

from deployments.gateway.dependencies import Deps
from deployments.gateway.door.schemas import VisitDocument
from deployments.gym.door_records import DoorRecordService
from deployments.http.dependencies import CurrentUser
from deployments.http.paging import Listing, PageQuery, listing
from deployments.http.route_guard import guarded_router

router = guarded_router("door")


@router.get("/me/visits", summary="List my visits")
async def visits(user: CurrentUser, deps: Deps, page: PageQuery) -> Listing[VisitDocument]:
    """List my visits, newest first."""
    return listing(await deps.gym(DoorRecordService.visits, user.id, page), VisitDocument.model_validate)
