"""What a sandbox must never meet: live keys, addresses beyond this machine, pages of other sites."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Mapping
from hmac import compare_digest
from urllib.parse import unquote_plus, urlsplit

from cluster.local.stripe_sandbox.errors import SandboxError, UnauthorizedError
from integrations.rendering.page_headers import is_own_page

_LIVE = re.compile(r"(?:sk|rk)_live_")
_WATCHED = ("FITMONITOR_STRIPE", "STRIPE_")
_CREDENTIALS = re.compile(r"(Bearer|Basic) +(\S+)", re.IGNORECASE)


class UnsafeStartError(Exception):
    """The sandbox must not run like this; the text names a setting, never its value."""


def is_live(text: str) -> bool:
    """Whether a live key is anywhere in a text, also percent-encoded."""
    return bool(_LIVE.search(text) or ("%" in text and _LIVE.search(unquote_plus(text))))


def is_loopback(host: str | None) -> bool:
    """Whether a host's name or address is this machine's alone."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse to start beside a live key, without a key, or with webhooks that would leave this machine.

    Raises:
        UnsafeStartError: names the variable.
    """
    for name, value in sorted(environment.items()):
        if name.upper().startswith(_WATCHED) and is_live(value):
            raise UnsafeStartError(f"{name} holds a live key: the sandbox does not run beside one")
    if not environment.get("FITMONITOR_STRIPE__API_KEY"):
        raise UnsafeStartError("FITMONITOR_STRIPE__API_KEY is not set")
    url = environment.get("FITMONITOR_STRIPE__WEBHOOK_URL", "")
    if not url:
        return
    if not _is_local_url(url):
        raise UnsafeStartError("FITMONITOR_STRIPE__WEBHOOK_URL does not lead to this machine (127.0.0.1)")
    if not environment.get("FITMONITOR_STRIPE__WEBHOOK_SECRET"):
        raise UnsafeStartError("FITMONITOR_STRIPE__WEBHOOK_SECRET is not set: webhooks are never sent unsigned")


def check_headers(headers: Iterable[tuple[bytes, bytes]], query: bytes) -> None:
    """Refuse a request with a live key in any header or in its query, and one that is sent under another host's name.

    Raises:
        UnauthorizedError: it carries a live key.
        SandboxError: a page of another site sent it, or it came by a name that is not this machine's.
    """
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    credentials = _key_of(found.get("authorization", "")) or ""
    for text in (*found.values(), credentials, query.decode("latin-1")):
        refuse_live(text)
    # Without this a page elsewhere could have its name resolved to 127.0.0.1 and press the buttons (DNS rebinding).
    if not is_loopback(urlsplit(f"//{found.get('host', '')}").hostname):
        raise SandboxError("The sandbox answers to 127.0.0.1 and localhost alone.", status=403, began=False)


def check_same_site(method: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse a button that was pressed on a page of another site, or of another port of this machine.

    Raises:
        SandboxError: as told.
    """
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    host = found.get("host", "")
    if method not in {"GET", "HEAD"} and not is_own_page(
        found.get("origin"), found.get("sec-fetch-site"), host, f"http://{host}"
    ):
        raise SandboxError("Only the sandbox's own pages may ask for this.", status=403, began=False)


def refuse_live(text: str) -> None:
    """Refuse a text that holds a live key.

    Raises:
        UnauthorizedError: it does.
    """
    if is_live(text):
        raise UnauthorizedError("This is a sandbox: it refuses live keys. Revoke the key if it left your machine.")


def check_key(authorization: str | None, api_key: str) -> None:
    """Let in who shows the key, as a bearer or as the name of HTTP's basic authentication.

    Raises:
        UnauthorizedError: nobody else.
    """
    shown = _key_of(authorization or "")
    if shown is None:
        raise UnauthorizedError("You did not provide an API key: send it as `Authorization: Bearer YOUR_SECRET_KEY`.")
    if not compare_digest(shown.encode(), api_key.encode()):
        raise UnauthorizedError("Invalid API Key provided.")


def _key_of(authorization: str) -> str | None:
    match = _CREDENTIALS.fullmatch(authorization.strip())
    if match is None:
        return None
    if match[1].lower() == "bearer":
        return match[2]
    try:
        return base64.b64decode(match[2], validate=True).decode("latin-1").partition(":")[0]
    except binascii.Error:
        return None


def _is_local_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port refuses one that is none.
        return parts.scheme in {"http", "https"} and is_loopback(parts.hostname) and parts.port != 0
    except ValueError:
        return False
