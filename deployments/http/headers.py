"""Standard response headers, and the request headers that are needed first."""

import re
from collections.abc import Collection, Iterable, Iterator

import msgspec

from domain.ids import new_id

RawHeaders = list[tuple[bytes, bytes]]

REQUEST_ID = b"x-request-id"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS: RawHeaders = [
    (b"cache-control", b"no-store"),  # answers are about people
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
_TWO_YEARS = (b"strict-transport-security", b"max-age=63072000")


def always(*, https: bool) -> RawHeaders:
    """Headers of every response; with HTTPS also HSTS (RFC 6797)."""
    return [*_ALWAYS, _TWO_YEARS] if https else _ALWAYS


class RequestHeaders(msgspec.Struct, frozen=True):
    """The request headers that are needed before anything else.

    Args:
        body_length: -1 if not stated.
        expects_continue: whether the client waits for `100 Continue`.
    """

    authorization: str | None
    content_type: str
    body_length: int
    chunked: bool
    request_id: str
    expects_continue: bool

    @property
    def has_body(self) -> bool:
        """Whether the request has a body."""
        return self.chunked or self.body_length > 0

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the media type is JSON, including suffixes (RFC 6839)."""
        media_type = self.media_type
        return media_type == "application/json" or (
            media_type.startswith("application/") and media_type.endswith("+json")
        )

    @property
    def is_untyped(self) -> bool:
        """Whether the media type is that of a string body in a browser: plain text, or none."""
        return self.media_type in {"", "text/plain"}

    @property
    def is_form(self) -> bool:
        """Whether the media type is that of an HTML form."""
        return self.media_type == "application/x-www-form-urlencoded"

    @property
    def is_upload(self) -> bool:
        """Whether the media type is that of a picture or a multipart form."""
        return self.content_type.lstrip().lower().startswith(("multipart/form-data", "image/"))


def read_headers(headers: Collection[tuple[bytes, bytes]]) -> RequestHeaders:
    """Pick the needed headers."""
    authorization, content_type, length, chunked, expects = None, "", -1, False, False
    for name, value in headers:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"content-length":
            length = int(value) if value.isdigit() else -1
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"expect":
            expects = value.lower() == b"100-continue"
    return RequestHeaders(authorization, content_type, length, chunked, request_id_of(headers), expects)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The request id of the client, or a new one if it is malformed: it appears in every log line."""
    named = [value.decode("latin-1") for name, value in headers if name == REQUEST_ID]
    return named[0] if len(named) == 1 and _SANE_ID.fullmatch(named[0]) else str(new_id())


def completed(headers: Iterable[tuple[bytes, bytes]], usual: RawHeaders) -> Iterator[tuple[bytes, bytes]]:
    """The headers of a response, with standard headers that it did not set itself."""
    own = list(headers)
    names = {name.lower() for name, _ in own}
    yield from own
    yield from (header for header in usual if header[0] not in names)
