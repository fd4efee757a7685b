"""The gym in the existing web client's format."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from deployments.default_stage.dependencies import StageDeps
from deployments.gym.legacy_numbers import LegacyNumberService
from deployments.http.dependencies import CurrentUser
from deployments.http.problems import ApiProblem
from deployments.http.route_guard import guarded_router
from domain.machines.legacy_number_repository import NumberedGym

Number = Annotated[int, Query(alias="id", ge=0, le=2**31 - 1, description="The small running number.")]


class StageGym(BaseModel):
    """A gym and its occupancy. Only staff see who is inside."""

    gymId: int  # noqa: N815 - the client's word
    gymName: str  # noqa: N815 - the client's word
    capacity: int
    occupancy: int
    usersInGym: list[str]  # noqa: N815 - the client's word


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("gyms")

    @routes.get("/api/gyms", summary="Get a gym")
    async def gym(number: Number, user: CurrentUser, deps: StageDeps) -> StageGym:
        """Get a gym."""
        found = await _found(deps, number)
        return StageGym(
            gymId=found.gym.legacy_number,
            gymName=found.gym.name,
            capacity=found.gym.capacity,
            occupancy=found.occupancy,
            usersInGym=[str(member) for member in found.members] if user.is_staff else [],
        )

    @routes.get("/api/gyms/occupancy", summary="Get the occupancy of a gym", response_model=int)
    async def occupancy(number: Number, deps: StageDeps) -> Response:
        """Get the occupancy of a gym, as a number."""
        return JSONResponse((await _found(deps, number)).occupancy)

    return routes


async def _found(deps: StageDeps, number: int) -> NumberedGym:
    found = await deps.gym(LegacyNumberService.gym, number)
    if found is None:
        raise ApiProblem("unknown_gym", "There is no gym with this number.")
    return found
