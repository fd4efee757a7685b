"""The service level of a gym's doors."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from deployments.gateway.dependencies import Deps
from deployments.gateway.door.service_level_schemas import ServiceLevelDocument
from deployments.gym.live import LiveService
from deployments.http.problems import declared
from deployments.http.refusals import raise_on_refusal
from deployments.http.route_guard import guarded_router

MOST_SCANS = 2000
_DAY = 24 * 60


def router() -> APIRouter:
    """The routes."""
    routes = guarded_router("door")

    @routes.get(
        "/gyms/{gym_id}/service-level",
        summary="Get the service level of a gym's doors",
        responses=declared("unknown_gym"),
    )
    async def service_level(
        gym_id: UUID,
        deps: Deps,
        minutes: Annotated[int, Query(ge=1, le=_DAY, description="The period that ends now, in minutes.")] = 60,
    ) -> ServiceLevelDocument:
        """Get scans by outcome and reason, decision times, gates and devices, from at most the latest 2,000 scans."""
        found = await deps.gym(LiveService.service_level, gym_id, timedelta(minutes=minutes), MOST_SCANS)
        return ServiceLevelDocument.model_validate(raise_on_refusal(found))

    return routes
