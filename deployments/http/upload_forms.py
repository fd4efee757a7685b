"""Parses a form with a picture (multipart/form-data, RFC 7578) while it arrives, on top of python-multipart.

Starlette's `request.form()` is no alternative: it accepts a form that was cut off, takes a picture without a file name
for text, and decodes text that is not UTF-8 as Latin-1.
"""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from deployments.http.problems import ApiProblem, Fault

PICTURE = "image"
"""The name of the part with the picture."""

CLOSE = {"Connection": "close"}
"""The header of a refusal before the body was read to its end."""

_LONGEST_TEXT = 32 * 1024  # bytes of all texts together
_LONGEST_PREAMBLE = 8 * 1024


def boundary_of(content_type: str) -> bytes:
    """Read the boundary between the parts from a content type.

    Raises:
        ApiProblem: `malformed_request`: there is no boundary.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise ApiProblem("malformed_request", "The Content-Type of the form has no boundary.")
    return boundary


class UploadForm:
    """Splits a form into its texts and its picture.

    The caller empties `picture` while the form arrives, so that the picture is never whole in memory.

    Args:
        boundary: the boundary between the parts.
        names: names of the text parts to keep; other parts are ignored.
    """

    def __init__(self, boundary: bytes, names: frozenset[str]) -> None:
        self.picture = bytearray()
        self.complete = False
        self._delimiter = b"\r\n--" + boundary
        # The delimiter begins a line, so the preamble starts with a line break. None: the first part has begun.
        self._preamble: bytearray | None = bytearray(b"\r\n")
        self._names = names
        self._raw: dict[str, bytearray] = {}
        self._seen: set[str] = set()
        self._text_bytes = 0
        self._header = [bytearray(), bytearray()]  # name and value of the current header
        self._name = ""  # of the current part
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _malformed() from error

    @property
    def has_picture(self) -> bool:
        """Whether the part with the picture has begun."""
        return PICTURE in self._seen

    def feed(self, piece: bytes) -> None:
        """Parse the next piece of the body.

        Raises:
            ApiProblem: the form is malformed, has a part twice, or its texts are too long.
        """
        piece = self._after_preamble(piece)
        if not piece:
            return
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed() from error

    def texts(self) -> dict[str, str]:
        """The texts of a complete form, by name.

        Raises:
            ApiProblem: the form is not complete, or a text is not UTF-8.
        """
        if not self.complete:
            raise _malformed()
        found: dict[str, str] = {}
        for name, raw in self._raw.items():
            try:
                found[name] = raw.decode()
            except UnicodeDecodeError as error:
                raise _invalid(name, "must be UTF-8") from error
        return found

    def _after_preamble(self, piece: bytes) -> bytes:
        """Drop the text before the first boundary (RFC 2046 section 5.1.1), which the parser does not support."""
        if self._preamble is None:
            return piece
        held = self._preamble
        searched = max(0, len(held) - len(self._delimiter) + 1)  # the delimiter may arrive in pieces
        held += piece
        found = held.find(self._delimiter, searched)
        if found < 0:
            if len(held) > _LONGEST_PREAMBLE:
                raise _malformed()
            return b""
        self._preamble = None
        return bytes(held[found + len(b"\r\n") :])

    def _part_begins(self) -> None:
        self._name = ""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end]

    def _header_ends(self) -> None:
        name, value = (bytes(part) for part in self._header)
        if name.lower() == b"content-disposition":
            self._name = parse_options_header(value)[1].get(b"name", b"").decode("utf-8", "replace")
        self._header = [bytearray(), bytearray()]

    def _headers_end(self) -> None:
        if self._name != PICTURE and self._name not in self._names:
            return
        if self._name in self._seen:
            raise _invalid(self._name, "must occur once")
        self._seen.add(self._name)
        if self._name != PICTURE:
            self._raw[self._name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == PICTURE:
            self.picture += data[start:end]
        elif self._name in self._raw:
            self._text_bytes += end - start
            if self._text_bytes > _LONGEST_TEXT:
                raise _invalid(self._name, "is too long")
            self._raw[self._name] += data[start:end]

    def _end(self) -> None:
        self.complete = True


def _malformed() -> ApiProblem:
    return ApiProblem("malformed_request", "The body is not a complete multipart/form-data.", headers=CLOSE)


def _invalid(name: str, why: str) -> ApiProblem:
    return ApiProblem("invalid_request", "The request is not valid.", faults=[Fault(name, why)], headers=CLOSE)
