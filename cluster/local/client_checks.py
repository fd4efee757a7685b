"""Whether the settings for web clients of other origins fit together."""

import json
import os
from collections.abc import Iterator

from cluster.local.findings import Finding
from integrations.settings import Settings
from integrations.web_urls import parse_web_url

_ORIGINS = "FITMONITOR_API__ALLOWED_ORIGINS"
_REDIRECT = "FITMONITOR_DEFAULT_STAGE__REDIRECT_URI"
_ANY = "*"


def web_clients(settings: Settings) -> Iterator[Finding]:
    """The origins whose pages may call, and the page to which the existing web client returns."""
    origins = settings.api.allowed_origins
    found = ", ".join(origins) or f"none but {settings.api.public_url}"
    if _ANY in origins:
        mend = f"name the origins of your clients, as in {_ORIGINS}='[\"https://app.example.com\"]'"
        yield Finding("allowed origins", good=False, found="pages of every origin may call", mend=mend, needed=False)
    elif _named_otherwise(origins):
        mend = f"write them as browsers send them: {_ORIGINS}='{json.dumps(origins)}'"
        yield Finding("allowed origins", good=False, found=f"read as {found}", mend=mend, needed=False)
    else:
        yield Finding("allowed origins", good=True, found=found, mend="")
    if settings.default_stage.enabled:
        yield _existing_client(settings)


def _existing_client(settings: Settings) -> Finding:
    page = settings.default_stage.redirect_uri
    address = parse_web_url(page)
    origin = address.origin if address is not None else ""
    good = origin == settings.api.public_url or not {origin, _ANY}.isdisjoint(settings.api.allowed_origins)
    found = f"returns to {page}" if good else f"returns to {page}, whose origin may not call"
    mend = f"add {origin} to {_ORIGINS}, or set {_REDIRECT}"
    return Finding("existing web client", good, found, mend, needed=False)


def _named_otherwise(origins: list[str]) -> bool:
    """Whether the variable names them in another way than they were read."""
    try:
        return bool(json.loads(os.environ[_ORIGINS]) != origins)
    except (KeyError, ValueError):
        return False
