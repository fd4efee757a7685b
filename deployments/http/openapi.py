"""The OpenAPI document: FastAPI's own, completed with access rights and error responses."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from deployments.http import etags
from deployments.http.problems import ANY_CALL, ProblemDocument, declared
from deployments.http.rights import Right

ROOT = "/api"
_UNPROCESSABLE = "422"


def complete_document(
    app: FastAPI,
    rights: Mapping[tuple[str, str], Right],
    root: str = ROOT,
    *,
    more_routes: Sequence[BaseRoute] = (),
    more_operations: Mapping[tuple[str, str], dict[str, Any]] | None = None,
    more_schemas: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Create the document at start, so that no request waits for it.

    Args:
        app: the application.
        rights: who may call what.
        root: where it is served.
        more_routes: routes that another application serves below the same root.
        more_operations: operations by method and path that are no FastAPI routes. They stand first.
        more_schemas: the components that these refer to.

    Returns:
        The document, which the application now serves.
    """
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=[*more_routes, *app.routes],
        servers=[{"url": root}],
        separate_input_output_schemas=False,
    )
    schemas = document["components"]["schemas"]
    for name, schema in (more_schemas or {}).items():
        schemas.setdefault(name, schema)
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in (more_operations or {}).items():
        # A copy: the document completes it.
        paths.setdefault(path, {})[method.lower()] = deepcopy(operation)
    for path, operations in document["paths"].items():
        paths.setdefault(path, {}).update(operations)
    document["paths"] = paths
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    own = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(own.pop("$defs"))
    schemas["ProblemDocument"] = own
    document["components"]["securitySchemes"] = {
        "user": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."},
        "device": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Device <id>.<secret>`: the credential of a gate device.",
        },
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(operation, rights[method.upper(), path])
    app.openapi_schema = document
    return document


def file_response(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Describe a successful response that is a file or a page, as FastAPI's `responses`."""
    schema = {"type": "string"} if media_type.startswith("text/") else {"type": "string", "format": "binary"}
    return {200: {"content": {media_type: {"schema": schema}}}}


def _complete(operation: dict[str, Any], right: Right) -> None:
    responses = operation["responses"]
    problems = list(ANY_CALL)
    if responses.get(_UNPROCESSABLE, {}).get("description") == "Validation Error":
        del responses[_UNPROCESSABLE]
    if "requestBody" in operation:
        problems.append("unsupported_media_type")
    if "requestBody" in operation or operation.get("parameters"):
        problems.append("invalid_request")
    if any(parameter["name"] == etags.HEADER for parameter in operation.get("parameters", ())):
        problems += etags.PROBLEMS
    if not right.public:
        problems += ["unauthenticated", "forbidden", "account_disabled", "email_in_use"]
        operation["security"] = [*([{"user": []}] if right.role else []), *([{"device": []}] if right.device else [])]
        operation["x-role"] = right.role
    for status, response in declared(*problems).items():
        _join(responses.setdefault(str(status), {"description": "", "content": {}}), response)
    operation["responses"] = dict(sorted(responses.items()))


def _join(known: dict[str, Any], more: dict[str, Any]) -> None:
    known["description"] = " · ".join(filter(None, [known["description"], more["description"]]))
    for media_type, content in more["content"].items():
        here = known.setdefault("content", {}).setdefault(media_type, {"schema": content["schema"], "examples": {}})
        here.setdefault("examples", {}).update(content["examples"])
