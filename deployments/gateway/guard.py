"""Every route passes here before anything of it is read."""

from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from deployments.gateway.callers import permit
from deployments.gateway.problems import ApiProblem
from deployments.gateway.rights import RIGHTS

_log = structlog.get_logger(__name__)


class GuardedRoute(APIRoute):
    """Looks the route up in the table of rights; whoever has none learns nothing of what the call would say."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, behind the guard."""
        unguarded = super().get_route_handler()
        path = self.path_format

        async def guarded(request: Request) -> Response:
            right = RIGHTS.get((request.method, path))
            if right is None:
                _log.error("route_without_right", method=request.method, path=path)
                raise ApiProblem("forbidden", "Nobody may call this.")
            if not right.public:
                asker = await request.app.state.parts.callers.identify(request.headers.get("authorization"))
                permit(asker, right)
                request.state.asker = asker
            return await unguarded(request)

        return guarded


def guarded_router(tag: str) -> APIRouter:
    """A router whose every route is guarded."""
    return APIRouter(tags=[tag], route_class=GuardedRoute)
