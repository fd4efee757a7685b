"""Error responses: `application/problem+json` (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import BaseModel

from deployments.http.error_codes import KINDS, ProblemKind

MEDIA_TYPE = "application/problem+json"
DOCUMENTED_AT = "/api/docs"
ANY_CALL = (
    *("malformed_request", "body_too_slow", "body_too_large", "too_many_requests"),
    *("internal_error", "busy", "unavailable"),
)
"""Codes that every call can answer with."""


class FieldProblem(BaseModel):
    """An invalid field of a request."""

    field: str
    detail: str


class ProblemDocument(BaseModel):
    """An error (RFC 9457). `code` is stable: compare it, never `title` or `detail`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    fields: list[FieldProblem] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """An invalid field, and why it is invalid; `detail` continues a sentence that begins with the field's name."""

    field: str
    detail: str


class ApiProblem(Exception):  # noqa: N818 - the word of RFC 9457
    """Ends a call with an error response.

    Args:
        code: a key of `KINDS`.
        detail: what is wrong this time, with the value, and how to correct it.
        faults: the invalid fields.
        headers: more response headers, such as `Retry-After`.
    """

    def __init__(
        self, code: str, detail: str, *, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return KINDS[self.code].status


def retryable(code: str, detail: str, *, seconds: int = 1) -> ApiProblem:
    """A temporary problem: the same call may succeed after `seconds`."""
    return ApiProblem(code, detail, headers={"Retry-After": str(seconds)})


def unauthenticated(detail: str, *, error: bool = False) -> ApiProblem:
    """The caller is not authenticated. `error`: a token was sent and is invalid (RFC 6750 section 3)."""
    bearer = 'Bearer realm="fitmonitor", error="invalid_token"' if error else 'Bearer realm="fitmonitor"'
    return ApiProblem("unauthenticated", detail, headers={"WWW-Authenticate": f'{bearer}, Device realm="fitmonitor"'})


def internal_error() -> ApiProblem:
    """An unexpected error. The log has its cause under the request id."""
    return ApiProblem("internal_error", "An unexpected error occurred. Its request id identifies it in the log.")


def body_of(problem: ApiProblem, request_id: str) -> bytes:
    """Encode a problem as JSON."""
    kind = KINDS[problem.code]
    document: dict[str, Any] = {
        "type": f"{DOCUMENTED_AT}#{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.faults:
        document["fields"] = problem.faults
    return msgspec.json.encode(document)


def declared(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Describe problems as FastAPI's `responses`, for the OpenAPI document."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = KINDS[code]
        response = by_status.setdefault(
            kind.status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": _SCHEMA, "examples": {}}}},
        )
        response["description"] = " · ".join(filter(None, [response["description"], f"`{code}`: {kind.title}"]))
        response["content"][MEDIA_TYPE]["examples"][code] = {"value": _example(code, kind)}
    return by_status


_SCHEMA = {"$ref": "#/components/schemas/ProblemDocument"}


def _example(code: str, kind: ProblemKind) -> dict[str, Any]:
    return {
        "type": f"{DOCUMENTED_AT}#{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "code": code,
        "request_id": "0198c0de-0000-7000-8000-000000000000",
    }
