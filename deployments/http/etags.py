"""Versions of what is changed: `ETag` says which one was read, `If-Match` which one is to be changed (RFC 9110)."""

import re
from typing import Annotated

from fastapi import Depends, Header, Response

from deployments.http.problems import ApiProblem, Fault

PROBLEMS = ("precondition_required", "changed_meanwhile")
"""What a call that takes an `ExpectedVersion` declares."""

_HEADER = "If-Match"
# A proxy that compresses answers makes tags weak; ours say the same either way.
_TAG = re.compile(r'(?:W/)?"(\d{1,9})"', re.ASCII)


def etag(version: int) -> str:
    """A version as `ETag` says it."""
    return f'"{version}"'


def tagged(response: Response, version: int) -> None:
    """Let an answer say which version it is."""
    response.headers["ETag"] = etag(version)


async def _expected(
    if_match: Annotated[
        str | None, Header(alias=_HEADER, description="`ETag` of what was read; `*` changes any version. Required.")
    ] = None,
) -> int | None:
    if if_match is None:
        raise ApiProblem(
            "precondition_required", f"Say which version is to be changed: send its ETag as {_HEADER}, or `*`."
        )
    wanted = if_match.strip()
    if wanted == "*":
        return None
    tag = _TAG.fullmatch(wanted)
    if tag is None:
        fault = Fault(_HEADER, "is one version as `ETag` gave it, or `*`; not a list")
        raise ApiProblem("invalid_request", "The request does not fit.", faults=[fault])
    return int(tag[1])


ExpectedVersion = Annotated[int | None, Depends(_expected)]
"""The version that a change is meant for; None: any. Without the header the call is refused."""
