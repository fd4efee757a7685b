"""Checks the settings for web clients of other origins."""

import json
import os
from collections.abc import Iterator

from cluster.local.doctor.finding import Finding
from integrations.settings import Settings
from integrations.web_urls import parse_web_url

_ORIGINS = "FITMONITOR_API__ALLOWED_ORIGINS"
_REDIRECT = "FITMONITOR_DEFAULT_STAGE__REDIRECT_URI"
_ANY = "*"


def check_web_clients(settings: Settings) -> Iterator[Finding]:
    """Check the allowed origins, and the page to which the existing web client returns."""
    origins = settings.api.allowed_origins
    found = ", ".join(origins) or f"only {settings.api.public_url}"
    if _ANY in origins:
        hint = f"list the origins of your clients, for example {_ORIGINS}='[\"https://app.example.com\"]'"
        yield Finding(
            "allowed origins", good=False, found="pages of every origin can call the API", hint=hint, needed=False
        )
    elif _written_differently(origins):
        hint = f"write origins as browsers send them: {_ORIGINS}='{json.dumps(origins)}'"
        yield Finding("allowed origins", good=False, found=f"read as {found}", hint=hint, needed=False)
    else:
        yield Finding("allowed origins", good=True, found=found, hint="")
    if settings.default_stage.enabled:
        yield _check_existing_client(settings)


def _check_existing_client(settings: Settings) -> Finding:
    page = settings.default_stage.redirect_uri
    address = parse_web_url(page)
    origin = address.origin if address is not None else ""
    good = origin == settings.api.public_url or not {origin, _ANY}.isdisjoint(settings.api.allowed_origins)
    found = f"returns to {page}" if good else f"returns to {page}, whose origin is not allowed"
    hint = f"add {origin} to {_ORIGINS}, or set {_REDIRECT}"
    return Finding("existing web client", good, found, hint, needed=False)


def _written_differently(origins: list[str]) -> bool:
    """Return whether the variable does not hold the origins as they are compared."""
    try:
        return bool(json.loads(os.environ[_ORIGINS]) != origins)
    except (KeyError, ValueError):
        return False
