"""Gyms set up, changed, retired and removed, and their opening hours."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.gyms.hours_schemas import NewOpeningHours, OpeningHoursDocument
from deployments.gateway.gyms.schemas import GymChanges, NewGym
from deployments.gateway.schemas import GymDocument
from deployments.gym.gyms import GymService
from deployments.http.auth import sees_retired, within_reach
from deployments.http.dependencies import WhoeverAsks
from deployments.http.etags import PROBLEMS, ExpectedVersion, tagged
from deployments.http.idempotency import PROBLEMS as KEY_PROBLEMS
from deployments.http.idempotency import OnceOnly
from deployments.http.problems import declared
from deployments.http.refusals import granted
from deployments.http.route_guard import guarded_router
from domain.gyms.model import Gym


def router() -> APIRouter:
    """The calls that change gyms."""
    routes = guarded_router("gyms")
    _add_changes(routes)
    _add_hours(routes)
    return routes


def _add_changes(routes: APIRouter) -> None:
    @routes.post("/gyms", status_code=201, responses=declared(*KEY_PROBLEMS))
    async def create_gym(wanted: NewGym, parts: OfParts, response: Response, once: OnceOnly) -> GymDocument:
        """Set a gym up. It is open day and night until it has opening hours."""
        return _answered(await once(parts.gym, GymService.create, wanted.details()), response)

    @routes.patch("/gyms/{gym_id}", responses=declared("unknown_gym", *PROBLEMS))
    async def change_gym(
        gym_id: UUID, expected: ExpectedVersion, wanted: GymChanges, parts: OfParts, response: Response
    ) -> GymDocument:
        """Change a gym. A capacity below the number of those inside lets nobody out and nobody in."""
        changed = await parts.gym(GymService.change, gym_id, wanted.changes(), expected)
        return _answered(granted(changed), response)

    @routes.delete("/gyms/{gym_id}", status_code=204, responses=declared("unknown_gym", "gym_in_use", *PROBLEMS))
    async def delete_gym(gym_id: UUID, expected: ExpectedVersion, parts: OfParts) -> Response:
        """Remove a gym that was never used; one with visits, scans, machines or plans can only be retired."""
        granted(await parts.gym(GymService.delete, gym_id, expected))
        return Response(status_code=204)

    @routes.post("/gyms/{gym_id}/retire", responses=declared("unknown_gym", "gym_not_empty"))
    async def retire_gym(
        gym_id: UUID,
        parts: OfParts,
        response: Response,
        force: Annotated[bool, Query(description="Also while people are inside.")] = False,  # noqa: FBT002 - a query
    ) -> GymDocument:
        """Let nobody in any more and list the gym no longer; who is inside can leave. Idempotent.

        While people are inside it is refused unless `force` is true. Staff can still read everything of a retired gym.
        """
        return _answered(granted(await parts.gym(GymService.retire, gym_id, force=force)), response)

    @routes.post("/gyms/{gym_id}/reopen", responses=declared("unknown_gym"))
    async def reopen_gym(gym_id: UUID, parts: OfParts, response: Response) -> GymDocument:
        """Take a retirement back. Once more changes nothing."""
        return _answered(granted(await parts.gym(GymService.reopen, gym_id)), response)


def _add_hours(routes: APIRouter) -> None:
    @routes.get("/gyms/{gym_id}/opening-hours", responses=declared("unknown_gym"))
    async def opening_hours(
        gym_id: UUID, asker: WhoeverAsks, parts: OfParts, response: Response
    ) -> OpeningHoursDocument:
        """When a gym is open, and whether it is now. A device sees its own gym."""
        within_reach(asker, gym_id)
        found = granted(await parts.gym(GymService.opening_hours, gym_id, retired=sees_retired(asker)))
        tagged(response, found.gym.version)
        return OpeningHoursDocument.of(found, parts.clock())

    @routes.put("/gyms/{gym_id}/opening-hours", responses=declared("unknown_gym", "hours_do_not_fit", *PROBLEMS))
    async def set_opening_hours(
        gym_id: UUID, expected: ExpectedVersion, wanted: NewOpeningHours, parts: OfParts, response: Response
    ) -> OpeningHoursDocument:
        """Set all opening hours anew. What is said of a day stands in place of what its weekday has."""
        timetable = wanted.timetable()
        found = granted(await parts.gym(GymService.set_opening_hours, gym_id, timetable, expected))
        tagged(response, found.gym.version)
        return OpeningHoursDocument.of(found, parts.clock())


def _answered(gym: Gym, response: Response) -> GymDocument:
    tagged(response, gym.version)
    return GymDocument.model_validate(gym)
