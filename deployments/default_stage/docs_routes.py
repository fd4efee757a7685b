"""The OpenAPI document of the existing web client's calls."""

from fastapi import APIRouter, FastAPI, Request, Response

from deployments.default_stage.rights import STAGE_RIGHTS
from deployments.http.openapi import complete_document
from deployments.http.route_guard import guarded_router
from deployments.http.static_content import StaticContent

ROOT = "/default"


def router() -> APIRouter:
    """The call for the document."""
    routes = guarded_router("system")

    @routes.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        """The OpenAPI document."""
        content: StaticContent = request.app.state.document
        return content.response(request)

    return routes


def add_document(app: FastAPI) -> None:
    """Make the document now, so that the first who asks does not wait for it."""
    document = complete_document(app, STAGE_RIGHTS, ROOT)
    schemes = document["components"]["securitySchemes"]
    del schemes["device"]
    schemes["user"]["description"] = "An ID token, as `GET /api/token/get` answers it."
    app.state.document = StaticContent.json(document)
