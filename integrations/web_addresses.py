"""Addresses of pages to which a browser may be sent: refused unless plain, and written anew from what was read.

Browsers and libraries read odd addresses differently (white space, backslashes, user names, dots, capitals). What is
compared here is therefore also what is sent on: `WebAddress.text` is built from the parts that were compared.
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


class WebAddress(NamedTuple):
    """An address of the web.

    Args:
        origin: scheme, host and port: in lower case, ASCII (IDNA), without a dot at the end or the usual port.
        rest: path and query as they were given; other letters than ASCII percent-encoded.
    """

    origin: str
    rest: str

    @property
    def text(self) -> str:
        """The address."""
        return self.origin + self.rest


def read_web_address(text: str) -> WebAddress | None:
    """An absolute address by `http` or `https`.

    None: it is something else, or has white space, a character that cannot be seen, a backslash, a fragment, or a user
    name (RFC 9110 section 4.2.4).
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
    return WebAddress(f"{parts.scheme}://{host}{named_port}", quote(parts.path + query, safe=_PRINTABLE))


def origin_of(text: str) -> str | None:
    """The origin that an address without a path names; None for anything else, `*` for example."""
    address = read_web_address(text)
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
