"""Builds a FastAPI application with guarded routes and problem responses."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from deployments.http.path_redaction import words_of
from deployments.http.problems import MEDIA_TYPE, ApiProblem, Fault, body_of, internal_error
from deployments.http.route_guard import RouteGuard

_NOT_FOUND, _NOT_ALLOWED = 404, 405


def guarded_app(title: str, description: str, routers: Iterable[APIRouter], guard: RouteGuard) -> FastAPI:
    """Build an application from routers whose routes are guarded. It answers every error with a problem."""
    app = FastAPI(
        title=title,
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    set_guard(app, guard)
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(ApiProblem, _api_problem)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _framework_error)
    app.add_exception_handler(Exception, _unexpected_error)
    return app


def set_guard(app: FastAPI, guard: RouteGuard) -> None:
    """Guard the routes of an application."""
    app.state.guard = guard
    app.state.words = words_of(path for _, path in guard.rights)
    app.state.paths = [(method, compile_path(path)[0]) for method, path in guard.rights]


async def _api_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)  # noqa: S101 - FastAPI's table says so, its types cannot
    return _answer(request, error)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - FastAPI's table says so, its types cannot
    errors: Sequence[Any] = error.errors()
    if any(one["type"] == "json_invalid" for one in errors):
        return _answer(request, ApiProblem("malformed_request", "The request body is not valid JSON."))
    # Pydantic puts the kind of the exception before the messages of our own validators.
    faults = [Fault(_field(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in errors]
    return _answer(request, ApiProblem("invalid_request", "The request is not valid.", faults=faults))


def _field(location: Sequence[str | int]) -> str:
    # The first element is where pydantic looked: path, query or body.
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - FastAPI's table says so, its types cannot
    if error.status_code == _NOT_FOUND:
        return _answer(request, ApiProblem("not_found", "Nothing is served at this path."))
    if error.status_code == _NOT_ALLOWED:
        allow = ", ".join(_methods(request))
        problem = ApiProblem("method_not_allowed", f"This path supports {allow}.", headers={"Allow": allow})
        return _answer(request, problem)
    return _answer(request, ApiProblem("malformed_request", "The request could not be parsed."))


def _methods(request: Request) -> list[str]:
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    served = {method for method, pattern in request.app.state.paths if pattern.match(path)}
    return sorted(served | {"HEAD"} if "GET" in served else served)


async def _unexpected_error(request: Request, _error: Exception) -> Response:
    return _answer(request, internal_error())


def _answer(request: Request, problem: ApiProblem) -> Response:
    state = request.scope["state"]
    state["problem_code"] = problem.code
    body = body_of(problem, state["request_id"])
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
