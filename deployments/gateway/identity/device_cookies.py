"""The cookie that identifies a device which has signed in before. It signs nobody in."""

from datetime import timedelta

from fastapi import Response

from deployments.http.client_addresses import DEVICE_COOKIE
from integrations.settings import Settings

_PATH = "/api"


def remember_device(response: Response, cookie: str, settings: Settings) -> None:
    """Set the cookie of a device, unless it is empty."""
    if not cookie:
        return
    response.set_cookie(
        DEVICE_COOKIE,
        cookie,
        max_age=int(timedelta(days=settings.identity.known_device_days).total_seconds()),
        path=_PATH,
        secure=settings.api.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
