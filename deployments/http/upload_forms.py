"""A form of a page with a picture in it (multipart/form-data, RFC 7578), read piece by piece as it arrives."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from deployments.http.problems import ApiProblem, Fault

PICTURE = "image"
"""The name of the part that is the picture."""

_LONGEST_TEXT = 32 * 1024  # bytes of all texts together
_LONGEST_PREAMBLE = 8 * 1024


def boundary_of(content_type: str) -> bytes:
    """What parts the form.

    Raises:
        ApiProblem: there is nothing that does.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise ApiProblem("malformed_request", "The form's Content-Type names no boundary.")
    return boundary


class UploadForm:
    """Takes a form apart. Of the picture no more is held than `picture` has until it is taken away.

    Args:
        boundary: what parts the form.
        names: of the texts that are wanted; other parts are passed over.
    """

    def __init__(self, boundary: bytes, names: frozenset[str]) -> None:
        self.picture = bytearray()
        self.complete = False
        self._delimiter = b"\r\n--" + boundary
        # As if a line had ended before; None once the first part has begun.
        self._preamble: bytearray | None = bytearray(b"\r\n")
        self._names = names
        self._raw: dict[str, bytearray] = {}
        self._seen: set[str] = set()
        self._text_bytes = 0
        self._header = [bytearray(), bytearray()]  # its name, its value
        self._name = ""
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
        """Whether the picture's part has begun."""
        return PICTURE in self._seen

    def feed(self, piece: bytes) -> None:
        """Take in what has arrived.

        Raises:
            ApiProblem: it is no such form, a part comes twice, or the texts are too long.
        """
        piece = self._after_preamble(piece)
        if not piece:
            return
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed() from error

    def texts(self) -> dict[str, str]:
        """The texts, once the form is complete.

        Raises:
            ApiProblem: the form ended too early, or a text is not UTF-8.
        """
        if not self.complete:
            raise _malformed()
        found: dict[str, str] = {}
        for name, raw in self._raw.items():
            try:
                found[name] = raw.decode()
            except UnicodeDecodeError as error:
                raise _misfit(name, "is not UTF-8") from error
        return found

    def _after_preamble(self, piece: bytes) -> bytes:
        """What the parser takes: it knows of no text before the first boundary (RFC 2046 section 5.1.1)."""
        if self._preamble is None:
            return piece
        held = self._preamble
        searched = max(0, len(held) - len(self._delimiter) + 1)  # a boundary may arrive in pieces
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
            raise _misfit(self._name, "comes twice")
        self._seen.add(self._name)
        if self._name != PICTURE:
            self._raw[self._name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._name == PICTURE:
            self.picture += data[start:end]
        elif self._name in self._raw:
            self._text_bytes += end - start
            if self._text_bytes > _LONGEST_TEXT:
                raise _misfit(self._name, "is too long")
            self._raw[self._name] += data[start:end]

    def _end(self) -> None:
        self.complete = True


def _malformed() -> ApiProblem:
    return ApiProblem("malformed_request", "The body is no complete multipart/form-data.", headers=_CLOSE)


def _misfit(name: str, why: str) -> ApiProblem:
    return ApiProblem("invalid_request", "The request does not fit.", faults=[Fault(name, why)], headers=_CLOSE)


_CLOSE = {"Connection": "close"}
