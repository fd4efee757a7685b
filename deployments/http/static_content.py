"""Content that stays the same as long as the process runs: rendered once, and sent only to clients that lack it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from deployments.http.etags import matches

_NOT_MODIFIED = 304


class StaticContent:
    """A body with its `ETag`. A client may keep it, and asks each time whether it is still current.

    Args:
        body: the content.
        media_type: its media type.
        headers: more response headers.
    """

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        self._body = body
        self._media_type = media_type
        self._tag = f'"{sha256(body).hexdigest()}"'
        self._headers = {"ETag": self._tag, "Cache-Control": "no-cache", **(headers or {})}

    @classmethod
    def json(cls, document: Mapping[str, Any]) -> "StaticContent":
        """A JSON document."""
        return cls(bytes(JSONResponse(document).body), "application/json")

    def response(self, request: Request) -> Response:
        """Answer a request: 304 if the client has this content already.

        No value of `If-None-Match` is an error: the client asks for public content, and gets it.
        """
        if matches(", ".join(request.headers.getlist("If-None-Match")), self._tag):
            return Response(status_code=_NOT_MODIFIED, headers=self._headers)
        return Response(self._body, headers=self._headers, media_type=self._media_type)
