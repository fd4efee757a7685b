"""The gateway's FastAPI application: the routes of all areas."""

from copy import copy

from fastapi import FastAPI
from starlette.datastructures import State

from deployments.gateway.dependencies import Parts
from deployments.gateway.door import list_routes as record_calls
from deployments.gateway.door import pass_key_routes as pass_key_calls
from deployments.gateway.door import roll_call_routes as roll_call_calls
from deployments.gateway.door import service_level_routes as service_calls
from deployments.gateway.gyms import change_routes as gym_changes
from deployments.gateway.gyms import gate_routes as gate_calls
from deployments.gateway.gyms import pairing_routes as pairing_calls
from deployments.gateway.gyms import routes as gym_calls
from deployments.gateway.identity import callback_routes as hosted_sign_in_calls
from deployments.gateway.identity import local_provider_routes as local_provider_calls
from deployments.gateway.identity import me_routes as me_calls
from deployments.gateway.identity import password_routes as password_calls
from deployments.gateway.identity import picture_routes as picture_calls
from deployments.gateway.identity import session_routes as session_calls
from deployments.gateway.identity import sign_up_routes as sign_up_calls
from deployments.gateway.identity import user_routes as user_calls
from deployments.gateway.identity.pages import password_routes as password_page_calls
from deployments.gateway.identity.pages import sign_in_routes as sign_in_page_calls
from deployments.gateway.identity.pages import sign_up_routes as sign_up_page_calls
from deployments.gateway.machines import picture_routes as machine_picture_calls
from deployments.gateway.machines import routes as machine_calls
from deployments.gateway.machines import use_routes as machine_use_calls
from deployments.gateway.memberships import plan_routes as plan_calls
from deployments.gateway.memberships import routes as membership_calls
from deployments.gateway.payments import invoice_routes as invoice_calls
from deployments.gateway.payments import routes as order_calls
from deployments.gateway.payments import webhook_routes as provider_calls
from deployments.gateway.system import docs_routes as docs_calls
from deployments.gateway.system import routes as system_calls
from deployments.http.fastapi_app import guard, guarded_app
from deployments.http.openapi import complete_document
from deployments.http.route_guard import Gatekeeper
from deployments.qr import scan_routes as scan_calls
from deployments.qr.scan_openapi import SCAN_OPERATION, scan_schemas
from deployments.qr.scan_service import SCANS

_AREAS = (
    *(sign_up_calls, session_calls, hosted_sign_in_calls, password_calls, me_calls, user_calls),
    *(gym_calls, gym_changes, record_calls, roll_call_calls, service_calls, gate_calls, pairing_calls, pass_key_calls),
    *(machine_calls, machine_picture_calls, machine_use_calls, picture_calls),
    *(plan_calls, order_calls, membership_calls, invoice_calls, provider_calls, system_calls, docs_calls),
)
_LOCAL_PROVIDER = (local_provider_calls, sign_in_page_calls, sign_up_page_calls, password_page_calls)
_DESCRIPTION = (
    "The system that a gym runs on. Beside this document stands `/api/live/openapi.json`, that of the live view: "
    "a gym as it is now, as a stream of server-sent events."
)


def build_rest(parts: Parts, gatekeeper: Gatekeeper, like: FastAPI | None = None) -> FastAPI:
    """Build the application.

    Args:
        parts: what the endpoints use.
        gatekeeper: guards the routes.
        like: an application built with the same settings. Its routes and document are reused, because they take
            much longer to build than everything else.
    """
    areas = _AREAS if parts.settings.identity.accounts_file is None else (*_AREAS, *_LOCAL_PROVIDER)
    if like is None:
        app = guarded_app("FIT Monitor", _DESCRIPTION, (area.router() for area in areas), gatekeeper)
        # The document describes the whole API; the application `scans` serves these calls.
        complete_document(
            app,
            gatekeeper.rights,
            more_routes=scan_calls.router().routes,
            more_operations={SCANS: SCAN_OPERATION},
            more_schemas=scan_schemas(),
        )
    else:
        app = copy(like)
        app.state, app.middleware_stack = State(), None
        guard(app, gatekeeper)
    app.state.parts = parts
    return app
