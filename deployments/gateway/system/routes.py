"""Health, readiness, version and the API documentation."""

from importlib.metadata import version

from fastapi import Request, Response

from deployments.gateway.dependencies import Deps
from deployments.gateway.system.schemas import AliveDocument, PartDocument, ReadyDocument, VersionDocument
from deployments.http.route_guard import guarded_router
from deployments.http.static_content import StaticContent

router = guarded_router("system")


@router.get("/health", summary="Check liveness")
async def health() -> AliveDocument:
    """Check that this process answers."""
    return AliveDocument(alive=True)


@router.get(
    "/ready",
    summary="Check readiness",
    responses={503: {"model": ReadyDocument, "description": "A required part is not ready"}},
)
async def ready(deps: Deps, response: Response) -> ReadyDocument:
    """Check that every service that scans need is ready, with its latency. Answers within 2 s.

    Dependencies that are not `required` do not count: a load balancer must not disconnect the doors because payments
    fail.
    """
    states = await deps.readiness.check()
    all_ready = all(state.ok for state in states.values() if state.required)
    if not all_ready:
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return ReadyDocument(
        ready=all_ready, parts={name: PartDocument.model_validate(one) for name, one in states.items()}
    )


@router.get("/version", summary="Get the version")
async def running_version() -> VersionDocument:
    """Get the running version."""
    return VersionDocument(version=version("fitmonitor"))


@router.get("/openapi.json", include_in_schema=False)
async def document(request: Request) -> Response:
    """Get the OpenAPI document."""
    content: StaticContent = request.app.state.document
    return content.response(request)


@router.get("/docs", include_in_schema=False)
async def page(request: Request) -> Response:
    """Get the API documentation as a page."""
    content: StaticContent = request.app.state.docs_page
    return content.response(request)
