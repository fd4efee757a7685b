"""The OpenAPI document, and the same as a page that needs nothing from elsewhere."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from deployments.gateway.system.docs_page import PAGE_POLICY, render
from deployments.http.route_guard import guarded_router


def router() -> APIRouter:
    """The calls about the interface itself."""
    routes = guarded_router("system")

    @routes.get("/openapi.json", include_in_schema=False)
    async def document(request: Request) -> Response:
        """The OpenAPI document."""
        return JSONResponse(request.app.openapi_schema, headers={"Cache-Control": "no-cache"})

    @routes.get("/docs", include_in_schema=False)
    async def page(request: Request) -> Response:
        """The OpenAPI document as a page."""
        return Response(
            render(request.app.openapi_schema),
            media_type="text/html",
            headers={"Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY},
        )

    return routes
