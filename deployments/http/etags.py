"""`ETag` names the version that was read, `If-Match` the version to change, `If-None-Match` the cached (RFC 9110)."""

import re
from typing import Annotated, Protocol, TypeVar

from fastapi import Depends, Header, Response

from deployments.http.problems import ApiProblem, Fault

HEADER = "If-Match"
PROBLEMS = ("precondition_required", "changed_meanwhile")
"""The problems of a call that takes an `ExpectedVersion`; the OpenAPI document declares them for every such call."""

# A proxy that compresses responses makes tags weak. Weak and strong tags compare equal here.
_TAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)
_LISTED = re.compile(r'"[^"]*"')


class Versioned(Protocol):
    """A document with a version."""

    version: int


V = TypeVar("V", bound=Versioned)


def etag(version: int) -> str:
    """The `ETag` of a version."""
    return f'"{version}"'


def set_etag(response: Response, version: int) -> None:
    """Set the `ETag` of a response."""
    response.headers["ETag"] = etag(version)


def with_etag(document: V, response: Response) -> V:
    """Set the response's `ETag` to the document's version, and return the document."""
    set_etag(response, document.version)
    return document


async def _expected(
    if_match: Annotated[
        str | None,
        Header(alias=HEADER, description="The `ETag` that was read; `*` matches any version. Required."),
    ] = None,
) -> int | None:
    if if_match is None:
        raise ApiProblem("precondition_required", f"Send the ETag of the version to change as {HEADER}, or `*`.")
    value = if_match.strip()
    if value == "*":
        return None
    tag = _TAG.fullmatch(value)
    if tag is None:
        fault = Fault(HEADER, "must be one `ETag`, or `*`; a list is not supported")
        raise ApiProblem("invalid_request", "The request is not valid.", faults=[fault])
    return int(tag[1])


def matches(if_none_match: str, tag: str) -> bool:
    """Whether an `If-None-Match` header names a tag. The comparison is weak (RFC 9110 section 13.1.2)."""
    return if_none_match.strip() == "*" or tag in _LISTED.findall(if_none_match)


NoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=1000, description="The cached `ETag`.")]

ExpectedVersion = Annotated[int | None, Depends(_expected)]
"""The version that a call changes; None: any. A call without the header is refused."""
