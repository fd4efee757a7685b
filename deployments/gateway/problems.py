"""Everything that can go wrong with a call, told in one shape: problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from pydantic import BaseModel

MEDIA_TYPE = "application/problem+json"
DOCUMENTED_AT = "/api/docs"


class Kind(NamedTuple):
    """The status that a code has, and what it is called."""

    status: int
    title: str


KINDS: dict[str, Kind] = {
    "malformed_request": Kind(400, "The request cannot be read"),
    "unauthenticated": Kind(401, "Who is asking is not known"),
    "forbidden": Kind(403, "This is not yours to ask"),
    "gate_of_another_gym": Kind(403, "The gate is of another gym"),
    "not_found": Kind(404, "There is nothing here"),
    "unknown_gym": Kind(404, "There is no such gym"),
    "unknown_gate": Kind(404, "There is no such gate"),
    "unknown_device": Kind(404, "There is no such device"),
    "unknown_scan": Kind(404, "There is no decided scan of this id"),
    "method_not_allowed": Kind(405, "The method is not served here"),
    "body_too_slow": Kind(408, "The body did not arrive"),
    "scan_id_reused": Kind(409, "The scan id was used for another question"),
    "ambiguous_scan_id": Kind(409, "Several scans have this id"),
    "annul_window_over": Kind(409, "It is too late to annul"),
    "gate_name_taken": Kind(409, "The gym has a gate of this name"),
    "email_in_use": Kind(409, "Another account holds this address"),
    "body_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "The body is not JSON"),
    "invalid_request": Kind(422, "The request does not fit"),
    "direction_not_served": Kind(422, "The gate does not serve this direction"),
    "too_many_scans": Kind(429, "Too many scans"),
    "internal_error": Kind(500, "Something went wrong here"),
    "no_answer_in_time": Kind(503, "No answer in time"),
    "busy": Kind(503, "Too much is waiting"),
    "unavailable": Kind(503, "A part of the system is away"),
    "not_decided": Kind(503, "The scan could not be decided"),
}
"""Code to status, for the whole interface; the door's and the gyms' own problem codes are among them."""

ANY_CALL = ("malformed_request", "body_too_slow", "body_too_large", "internal_error", "busy", "unavailable")
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
