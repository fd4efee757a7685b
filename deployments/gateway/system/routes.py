"""What watches over the system asks."""

from importlib.metadata import version

from fastapi import APIRouter, Response

from deployments.gateway.dependencies import OfParts
from deployments.gateway.schemas import AliveDocument, PartDocument, ReadyDocument, VersionDocument
from deployments.http.route_guard import guarded_router


def router() -> APIRouter:
    """The calls about the system itself."""
    routes = guarded_router("system")

    @routes.get("/health")
    async def health() -> AliveDocument:
        """That this process answers, whatever else does."""
        return AliveDocument(alive=True)

    @routes.get(
        "/ready", responses={503: {"model": ReadyDocument, "description": "A part that scans need is not ready"}}
    )
    async def ready(parts: OfParts, response: Response) -> ReadyDocument:
        """Whether every part that a scan needs is ready, and how long each took to say so. Within 2 s.

        Parts that are not `required` are shown and do not count: a load balancer must not take the doors out
        because nobody can pay.
        """
        states = await parts.readiness.look()
        all_ready = all(state.ok for state in states.values() if state.required)
        if not all_ready:
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        documents = {
            name: PartDocument(ok=state.ok, latency_ms=state.latency_ms, required=state.required)
            for name, state in states.items()
        }
        return ReadyDocument(ready=all_ready, parts=documents)

    @routes.get("/version")
    async def running() -> VersionDocument:
        """What is running."""
        return VersionDocument(version=version("fitmonitor"))

    return routes
