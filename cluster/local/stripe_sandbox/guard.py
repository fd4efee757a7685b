"""Keeps the sandbox apart from real money and from other sites: live keys, remote addresses, foreign pages."""

import ipaddress
import re
from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import unquote_plus, urlsplit

from starlette.datastructures import Headers

from cluster.local.stripe_sandbox.errors import SandboxError, UnauthorizedError
from integrations.rendering.page_headers import is_own_page

_LIVE = re.compile(r"(?:sk|rk)_live_")
_WATCHED = ("FITMONITOR_STRIPE", "STRIPE_")
_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
_SAFE_METHODS = {"GET", "HEAD"}


class UnsafeStartError(Exception):
    """The sandbox must not start like this. The message names a setting and never repeats its value."""


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse to start beside a live key, without a key, or with webhooks that would leave this machine.

    Raises:
        UnsafeStartError: names the variable.
    """
    for name, value in sorted(environment.items()):
        if name.upper().startswith(_WATCHED) and is_live(value):
            raise UnsafeStartError(f"{name} holds a live key. The sandbox does not run beside one; unset it.")
    if not environment.get("FITMONITOR_STRIPE__API_KEY"):
        raise UnsafeStartError("FITMONITOR_STRIPE__API_KEY is not set")
    url = environment.get("FITMONITOR_STRIPE__WEBHOOK_URL", "")
    if url and not _is_local_url(url):
        raise UnsafeStartError("FITMONITOR_STRIPE__WEBHOOK_URL is not an address of this machine (127.0.0.1)")
    if url and not environment.get("FITMONITOR_STRIPE__WEBHOOK_SECRET"):
        raise UnsafeStartError("FITMONITOR_STRIPE__WEBHOOK_SECRET is not set, and webhooks are never sent unsigned")


def check_headers(headers: Headers, query: str) -> None:
    """Refuse a request with a live key in a header or the query, or for another host.

    Raises:
        UnauthorizedError: the request holds a live key.
        SandboxError: the host is not this machine.
    """
    for text in (*headers.values(), query):
        refuse_live(text)
    # Another site could let its own name resolve to 127.0.0.1 and call us from its pages (DNS rebinding).
    if not _is_loopback(urlsplit(f"//{headers.get('host', '')}").hostname):
        raise SandboxError("The sandbox answers only at 127.0.0.1 and localhost.", status=403)


def check_same_site(method: str, headers: Headers) -> None:
    """Refuse a form that a page of another site, or of another port of this machine, has sent.

    Raises:
        SandboxError: the form is not from a page of the sandbox.
    """
    host = headers.get("host", "")
    origin, fetch_site = headers.get("origin"), headers.get("sec-fetch-site")
    if method not in _SAFE_METHODS and not is_own_page(origin, fetch_site, host, f"http://{host}"):
        raise SandboxError("Only pages of the sandbox can do this.", status=403)


def check_key(authorization: str | None, api_key: str) -> None:
    """Check the API key of a call.

    Raises:
        UnauthorizedError: the key is missing or wrong.
    """
    sent = _BEARER.fullmatch((authorization or "").strip())
    if sent is None:
        raise UnauthorizedError("You did not provide an API key: send it as `Authorization: Bearer YOUR_SECRET_KEY`.")
    if not compare_digest(sent[1].encode(), api_key.encode()):
        raise UnauthorizedError("Invalid API Key provided.")


def refuse_live(text: str) -> None:
    """Refuse a text that holds a live key.

    Raises:
        UnauthorizedError: the text holds a live key.
    """
    if is_live(text):
        raise UnauthorizedError("This is a sandbox: it refuses live keys. Revoke the key if it left your machine.")


def is_live(text: str) -> bool:
    """Return whether a text holds a live key, plain or percent-encoded."""
    return bool(_LIVE.search(text) or ("%" in text and _LIVE.search(unquote_plus(text))))


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _is_local_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and _is_loopback(parts.hostname) and parts.port != 0
    except ValueError:  # an address in brackets, or a port, that is none
        return False
