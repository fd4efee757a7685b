"""Everything but the scan: FastAPI, put together on the replica."""

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from deployments.gateway.door import list_routes as record_calls
from deployments.gateway.door import offline_routes as offline_calls
from deployments.gateway.door import roll_call_routes as roll_call_calls
from deployments.gateway.door import routes as scan_calls
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
from deployments.http.dependencies import Parts
from deployments.http.logged_paths import words_of
from deployments.http.openapi import complete_document
from deployments.http.problems import MEDIA_TYPE, ApiProblem, Fault, body_of, internal_error
from deployments.http.route_guard import Gatekeeper

_AREAS = (
    *(scan_calls, sign_up_calls, session_calls, hosted_sign_in_calls, password_calls, me_calls, user_calls),
    *(gym_calls, gym_changes, record_calls, roll_call_calls, service_calls, gate_calls, pairing_calls, offline_calls),
    *(machine_calls, machine_picture_calls, machine_use_calls, picture_calls),
    *(plan_calls, order_calls, membership_calls, invoice_calls, provider_calls, system_calls, docs_calls),
)
_LOCAL_PROVIDER = (local_provider_calls, sign_in_page_calls, sign_up_page_calls, password_page_calls)
_DESCRIPTION = (
    "The system that a gym runs on. Beside this document stands `/api/live/openapi.json`, that of the live view: "
    "a gym as it is now, as a stream of server-sent events."
)
_NOT_FOUND, _NOT_ALLOWED = 404, 405


def build_rest(parts: Parts, gatekeeper: Gatekeeper, like: FastAPI | None = None) -> FastAPI:
    """The application; its endpoints work with these parts.

    Args:
        parts: what they work with.
        gatekeeper: whom they let in.
        like: an application that was built with the same settings, whose routes and document are used again: both
            take far longer to make than all the rest.
    """
    areas = _AREAS if parts.settings.identity.accounts_file is None else (*_AREAS, *_LOCAL_PROVIDER)
    if like is None:
        app = guarded_app("FIT Monitor", _DESCRIPTION, (area.router() for area in areas), gatekeeper)
        complete_document(app)
    else:
        app = copy(like)
        app.state, app.middleware_stack = State(), None
        _guard(app, gatekeeper)
    app.state.parts = parts
    return app


def guarded_app(title: str, description: str, areas: Iterable[APIRouter], gatekeeper: Gatekeeper) -> FastAPI:
    """An application whose routes are guarded and whose failures are problems."""
    app = FastAPI(
        title=title,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _guard(app, gatekeeper)
    for area in areas:
        app.include_router(area)
    app.add_exception_handler(ApiProblem, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(Exception, _unforeseen)
    return app


def _guard(app: FastAPI, gatekeeper: Gatekeeper) -> None:
    app.state.gatekeeper = gatekeeper
    app.state.words = words_of(path for _, path in gatekeeper.rights)
    app.state.paths = [(method, compile_path(path)[0]) for method, path in gatekeeper.rights]


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)  # noqa: S101 - FastAPI's table says so, its types cannot
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - FastAPI's table says so, its types cannot
    errors: Sequence[Any] = error.errors()
    if any(one["type"] == "json_invalid" for one in errors):
        return _answer(request, ApiProblem("malformed_request", "The body is not JSON."))
    # Pydantic puts the kind of the exception before what our own validators say.
    faults = [Fault(_field(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in errors]
    return _answer(request, ApiProblem("invalid_request", "The request does not fit.", faults=faults))


def _field(location: Sequence[str | int]) -> str:
    # The first names where it was looked for: path, query or body.
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - FastAPI's table says so, its types cannot
    if error.status_code == _NOT_FOUND:
        return _answer(request, ApiProblem("not_found", "Nothing is served at this path."))
    if error.status_code == _NOT_ALLOWED:
        allow = ", ".join(_methods(request))
        return _answer(
            request,
            ApiProblem("method_not_allowed", f"This path is served for {allow}.", headers={"Allow": allow}),
        )
    return _answer(request, ApiProblem("malformed_request", "The request cannot be read."))


def _methods(request: Request) -> list[str]:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    served = {method for method, pattern in request.app.state.paths if pattern.match(path)}
    return sorted(served | {"HEAD"} if "GET" in served else served)


async def _unforeseen(request: Request, _error: Exception) -> Response:
    return _answer(request, internal_error())


def _answer(request: Request, problem: ApiProblem) -> Response:
    state = request.scope["state"]
    state["problem_code"] = problem.code
    body = body_of(problem, state["request_id"])
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
