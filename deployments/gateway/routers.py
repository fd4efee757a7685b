"""The gateway's FastAPI application: the routes of all areas."""

from copy import copy

from fastapi import FastAPI
from starlette.datastructures import State

from deployments.gateway.dependencies import Dependencies
from deployments.gateway.door import list_routes as record_calls
from deployments.gateway.door import member_routes
from deployments.gateway.door import roll_call_routes as roll_call_calls
from deployments.gateway.door import service_level_routes as service_calls
from deployments.gateway.gyms import routes as gyms
from deployments.gateway.identity import session_routes, user_routes
from deployments.gateway.identity.local_provider import routes as local_provider
from deployments.gateway.machines import routes as machines
from deployments.gateway.memberships import routes as memberships
from deployments.gateway.passes import routes as passes
from deployments.gateway.payments import routes as payments
from deployments.gateway.system import routes as system
from deployments.gateway.system.docs_page import PAGE_POLICY, render
from deployments.http.fastapi_app import guarded_app, set_guard
from deployments.http.openapi import complete_document
from deployments.http.route_guard import RouteGuard
from deployments.http.static_content import StaticContent
from deployments.qr import scan_routes as scan_calls
from deployments.qr.scan_openapi import SCAN_OPERATION, scan_schemas
from deployments.qr.scan_service import SCANS

_ROUTERS = (
    *(session_routes.router, user_routes.me_router, passes.me_router, user_routes.users_router),
    *(
        member_routes.router,
        gyms.gyms_router,
        record_calls.router(),
        roll_call_calls.router(),
        service_calls.router(),
        gyms.gates_router,
    ),
    *(passes.door_router, machines.router, memberships.plans_router, payments.orders_router),
    *(memberships.memberships_router, payments.invoices_router, payments.provider_router, system.router),
)
_LOCAL_PROVIDER = (local_provider.router, local_provider.pages)
_DESCRIPTION = (
    "The API of FIT Monitor. The live view has its own document, `/api/live/openapi.json`: "
    "a gym as it is now, as a stream of server-sent events."
)


def build_rest(deps: Dependencies, guard: RouteGuard, like: FastAPI | None = None) -> FastAPI:
    """Build the application.

    Args:
        deps: what the endpoints use.
        guard: guards the routes.
        like: an application built with the same settings. Its routes and document are reused, because they take
            much longer to build than everything else.
    """
    routers = _ROUTERS if deps.settings.identity.accounts_file is None else (*_ROUTERS, *_LOCAL_PROVIDER)
    if like is None:
        app = guarded_app("FIT Monitor", _DESCRIPTION, routers, guard)
        # The document describes the whole API; the application `scans` serves these calls.
        document = complete_document(
            app,
            guard.rights,
            more_routes=scan_calls.router().routes,
            more_operations={SCANS: SCAN_OPERATION},
            more_schemas=scan_schemas(),
        )
        app.state.document = StaticContent.json(document)
        page = render(document).encode()
        app.state.docs_page = StaticContent(page, "text/html", {"Content-Security-Policy": PAGE_POLICY})
    else:
        app = copy(like)
        app.state, app.middleware_stack = State(), None
        app.state.document, app.state.docs_page = like.state.document, like.state.docs_page
        set_guard(app, guard)
    app.state.dependencies = deps
    return app
