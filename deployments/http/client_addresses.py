"""From where a request comes: what a session is told apart by, and what wrong tries are counted by.

A proxy in front writes the client's address into a header. One setting names that header; no other is read. Proxies
append: the address that our own proxy saw is the last one, and what stands left of the trusted proxies' own was
written by the client itself.
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
    """Where the client's address is read.

    Args:
        header: the one header that the trusted proxies write, in any case; `Forwarded` is read as RFC 7239 says, any
            other as a list of addresses.
        hops: how many trusted proxies append to it; 0: none, the address is the peer's.
    """

    header: str = "X-Forwarded-For"
    hops: int = 0

    @classmethod
    def of(cls, settings: ApiSettings) -> "ClientSource":
        """As the settings say."""
        return cls(settings.forwarded_header, settings.forwarded_hops)


def client_of(request: HTTPConnection, source: ClientSource) -> Client:
    """The client behind a request.

    Its address is the peer's where the header is missing, too short, or has none that can be read in that place.
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
    """The element of a list that has this number, counted from its end; empty where the list is shorter.

    Read from the end, so that nothing that the client wrote, such as a quote that is never closed, has a say in where
    the elements of the trusted proxies begin.
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
    """The one value of `for` in an element of `Forwarded`; empty where there is none, or anything cannot be read."""
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
    """An IP address that may stand in brackets, with a port or a zone behind it; None where it is none.

    Port and zone are dropped, and an IPv4 address in the form of an IPv6 address is written as IPv4.
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
