"""From where a request comes: what a session is told apart by, and what wrong tries are counted by."""

from ipaddress import ip_address

from starlette.requests import HTTPConnection

from domain.identity.model import Client

_LONGEST_DEVICE = 200


def client_of(request: HTTPConnection, forwarded_hops: int) -> Client:
    """The client behind a request.

    Args:
        request: with its headers.
        forwarded_hops: trusted proxies in front. Each has added the address that it saw to X-Forwarded-For; what
            stands left of those was written by the client itself and counts for nothing.
    """
    device = "".join(filter(str.isprintable, request.headers.get("user-agent", "")))[:_LONGEST_DEVICE]
    return Client(device, _address(request, forwarded_hops))


def _address(request: HTTPConnection, forwarded_hops: int) -> str:
    told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    if forwarded_hops and len(told) >= forwarded_hops and told[-forwarded_hops].strip():
        shown = told[-forwarded_hops].strip()
    else:
        shown = request.client.host if request.client else ""
    try:
        return str(ip_address(shown.strip("[]")))
    except ValueError:
        return ""
