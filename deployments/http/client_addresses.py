"""The client of a request, which identifies sessions and rate limits.

A proxy in front writes the client's address into a header. A setting names this header; all others are ignored. Proxies
append: the last element is what our own proxy saw; everything left of the trusted proxies' elements was written by the
client.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.requests import HTTPConnection

from domain.identity.model import Client
from integrations.settings import ApiSettings

DEVICE_COOKIE = "fm_device"
_STANDARD_HEADER = "forwarded"
_LONGEST_DEVICE, _LONGEST_COOKIE = 200, 512
_HIGHEST_PORT = 65_535
# RFC 7239 section 4: a parameter of one element. Quotes are needed around a value that has a colon or a bracket.
_PARAMETER = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^";,\s]*))\s*(?:;|$)')


@dataclass(frozen=True, slots=True)
class ClientSource:
    """How to find the client's address.

    Args:
        header: the header that the trusted proxies write, in any case. `Forwarded` is parsed as in RFC 7239, any other
        as
            a list of addresses.
        hops: number of trusted proxies that append to it; 0: no proxy, use the peer's address.
    """

    header: str = "X-Forwarded-For"
    hops: int = 0

    @classmethod
    def of(cls, settings: ApiSettings) -> "ClientSource":
        """As configured."""
        return cls(settings.forwarded_header, settings.forwarded_hops)


def client_of(request: HTTPConnection, source: ClientSource) -> Client:
    """The client of a request.

    Uses the peer's address if the header is missing, too short, or has no valid address in that place.
    """
    device = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))[:_LONGEST_DEVICE]
    cookie = request.cookies.get(DEVICE_COOKIE, "") if "cookie" in request.headers else ""
    return Client(device, _address(request, source), cookie if len(cookie) <= _LONGEST_COOKIE else "")


def _address(request: HTTPConnection, source: ClientSource) -> str:
    peer = request.client.host if request.client else ""
    return _forwarded(request, source) or read_address(peer) or ""


def _forwarded(request: HTTPConnection, source: ClientSource) -> str | None:
    if not source.hops:
        return None
    text = ",".join(request.headers.getlist(source.header))
    standard = source.header.lower() == _STANDARD_HEADER
    element = _element(text, source.hops, quotes=standard)
    return read_address(_node(element) if standard else element)


def _element(text: str, number: int, *, quotes: bool) -> str:
    """The n-th element of a list from its end; empty if the list is shorter.

    Reads from the end, so that nothing that the client wrote, such as an unclosed quote, can move the elements of the
    trusted proxies.
    """
    end, quoted = len(text), False
    for position in range(len(text) - 1, -1, -1):
        letter = text[position]
        if quotes and letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            number -= 1
            if not number:
                return text[position + 1 : end]
            end = position
    return text[:end] if number == 1 else ""


def _node(element: str) -> str:
    """The value of `for` in an element of `Forwarded`; empty if it is missing or malformed."""
    found, position = [], 0
    while position < len(element):
        match = _PARAMETER.match(element, position)
        if match is None:
            return ""
        name, quoted, bare = match.groups()
        if name.lower() == "for":
            found.append(bare if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return found[0] if len(found) == 1 else ""


def read_address(text: str) -> str | None:
    """Parse an IP address, possibly in brackets, with a port or a zone; None if it is invalid.

    Drops port and zone. An IPv4-mapped IPv6 address becomes IPv4.
    """
    host, port = text.strip(), ""
    if host.startswith("["):
        host, closed, rest = host[1:].partition("]")
        if not closed or ":" not in host or (rest and not rest.startswith(":")):
            return None
        port = rest[1:] if rest else "0"
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    else:
        port = "0"
    if not _is_port(port):
        return None
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_port(text: str) -> bool:
    # RFC 7239 section 6.3 allows a made-up word in place of the number.
    if re.fullmatch(r"_[A-Za-z0-9._-]+", text):
        return True
    return text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT)) and int(text) <= _HIGHEST_PORT
