"""Parses URLs that a browser may be redirected to. Accepts only plain ones and rebuilds them from the parsed parts.

Browsers and libraries interpret unusual URLs differently (white space, backslashes, user names, dots, upper case).
Therefore the compared URL is also the one that is sent: `WebUrl.text` is built from the compared parts.
"""

from ipaddress import AddressValueError, IPv6Address
from re import compile as regex
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import idna

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 253  # RFC 1035 section 2.3.4, without the dot at its end
_HOST = regex(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))


class WebUrl(NamedTuple):
    """A web URL.

    Args:
        origin: scheme, host and port: lower case, ASCII (IDNA), without trailing dot and default port.
        rest: path and query as given; non-ASCII characters percent-encoded.
    """

    origin: str
    rest: str

    @property
    def text(self) -> str:
        """The URL."""
        return self.origin + self.rest


def parse_web_url(text: str) -> WebUrl | None:
    """Parse an absolute `http` or `https` URL.

    Returns None for anything else, and for URLs with white space, invisible characters, a backslash, a fragment, or a
    user name (RFC 9110 section 4.2.4).
    """
    if not text.isprintable() or any(each in text for each in " \\#"):
        return None
    try:
        parts = urlsplit(text)
        host, port = _host(parts.hostname or ""), parts.port
    except (ValueError, UnicodeError):
        return None
    if host is None or parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or port == 0:
        return None
    named_port = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    query = f"?{parts.query}" if "?" in text else ""
    return WebUrl(f"{parts.scheme}://{host}{named_port}", quote(parts.path + query, safe=_PRINTABLE))


def origin_of(text: str) -> str | None:
    """The origin of a URL without a path; None for anything else, such as `*`."""
    address = parse_web_url(text)
    return address.origin if address is not None and address.rest in {"", "/"} else None


def _host(named: str) -> str | None:
    if ":" in named:
        try:
            return f"[{IPv6Address(named)}]"
        except AddressValueError:
            return None
    if len(named) > _LONGEST_HOST + 1:
        return None
    # As browsers do (UTS 46), so that a full-width letter is no other host.
    host = named.lower() if named.isascii() else idna.encode(named, uts46=True).decode()
    host = host.removesuffix(".")
    return host if len(host) <= _LONGEST_HOST and _HOST.fullmatch(host) else None
