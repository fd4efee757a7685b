"""Routes of the live view."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, Request, Response

from deployments.http.auth import require_own_gym
from deployments.http.dependencies import CurrentClient, CurrentPrincipal
from deployments.http.openapi import complete_document
from deployments.http.problems import declared
from deployments.http.route_guard import guarded_router
from deployments.http.static_content import StaticContent
from deployments.live.dependencies import LiveDeps
from deployments.live.response import StreamResponse
from deployments.live.rights import LIVE_RIGHTS
from deployments.live.schemas import SnapshotDocument, StaffSnapshotDocument
from deployments.live.watchers import view_of

ROOT = "/api/live"
EVENT_STREAM = "text/event-stream"
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `snapshot`, each complete, and a last event `end` with its `reason`.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
    }
}


def router() -> APIRouter:
    """The routes of the live view."""
    routes = guarded_router("live")

    @routes.get(
        "/gyms/{gym_id}",
        summary="Watch a gym",
        response_class=Response,
        responses={**_STREAM, **declared("unknown_gym")},
    )
    async def watch(
        gym_id: UUID, request: Request, principal: CurrentPrincipal, client: CurrentClient, deps: LiveDeps
    ) -> Response:
        """Stream a gym: a complete snapshot at the start and after each change, at most four per second.

        `data` is a `SnapshotDocument`, for staff a `StaffSnapshotDocument`. A device can watch only its own gym.
        """
        require_own_gym(principal, gym_id)
        if not request.scope["state"].get("wants_body", True):
            return Response(media_type=EVENT_STREAM)
        authorization = request.headers["authorization"]
        deps.watchers.take_place(principal)
        try:
            stream = await deps.hub.open(gym_id, view_of(principal))
        except BaseException:
            deps.watchers.give_place(principal)
            raise
        deps.watchers.add(authorization, client, stream)

        def leave() -> None:
            deps.watchers.remove(authorization, stream)
            deps.hub.leave(gym_id, stream)
            deps.watchers.give_place(principal)

        return StreamResponse(stream, leave, deps.counts.sent)

    @routes.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        """The OpenAPI document of the live view."""
        content: StaticContent = request.app.state.document
        return content.response(request)

    return routes


def add_document(app: FastAPI) -> None:
    """Make the document now, so that no request waits for it; with the schemas of `data`, which no response has."""
    document = complete_document(app, LIVE_RIGHTS, ROOT)
    schemas = document["components"]["schemas"]
    for model in (SnapshotDocument, StaffSnapshotDocument):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    app.state.document = StaticContent.json(document)
