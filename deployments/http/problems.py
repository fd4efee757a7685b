"""Everything that can go wrong with a call, told in one shape: problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import BaseModel

from deployments.http.problem_kinds import KINDS, Kind

MEDIA_TYPE = "application/problem+json"
DOCUMENTED_AT = "/api/docs"


ANY_CALL = (
    *("malformed_request", "body_too_slow", "body_too_large", "too_many_requests"),
    *("internal_error", "busy", "unavailable"),
)
"""What may be answered whatever is called."""


class FieldProblem(BaseModel):
    """What is wrong with one part of a request."""

    field: str
    detail: str


class ProblemDocument(BaseModel):
    """Why a call failed (RFC 9457). `code` is stable; clients compare it, never the sentences."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    fields: list[FieldProblem] | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field."""

    field: str
    detail: str


class ApiProblem(Exception):  # noqa: N818 - the word of RFC 9457
    """A call ends here with this answer.

    Args:
        code: one of `KINDS`.
        detail: what is wrong this time, and what would mend it.
        faults: the fields that do not fit, where some do not.
        headers: further ones, such as Retry-After.
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
        """The status that the code has."""
        return KINDS[self.code].status


def later(code: str, detail: str, *, seconds: int = 1) -> ApiProblem:
    """A problem that goes away by itself: the same call may succeed after so many seconds."""
    return ApiProblem(code, detail, headers={"Retry-After": str(seconds)})


def unauthenticated(detail: str, *, error: bool = False) -> ApiProblem:
    """Nobody, or nobody known, is asking. `error`: a token was shown and is not good (RFC 6750 section 3)."""
    bearer = 'Bearer realm="fitmonitor", error="invalid_token"' if error else 'Bearer realm="fitmonitor"'
    return ApiProblem("unauthenticated", detail, headers={"WWW-Authenticate": f'{bearer}, Device realm="fitmonitor"'})


def internal_error() -> ApiProblem:
    """Something failed that nobody foresaw; what it was is in the log, under the request id."""
    return ApiProblem("internal_error", "Something went wrong here. The request id names it in our log.")


def body_of(problem: ApiProblem, request_id: str) -> bytes:
    """The problem as JSON."""
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
    """These problems as FastAPI's `responses`, so that the OpenAPI document names them."""
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


def _example(code: str, kind: Kind) -> dict[str, Any]:
    return {
        "type": f"{DOCUMENTED_AT}#{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": f"{kind.title}.",
        "code": code,
        "request_id": "0198c0de-0000-7000-8000-000000000000",
    }
