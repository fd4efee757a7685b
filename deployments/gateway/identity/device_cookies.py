"""The cookie by which a device that has signed in before is told apart from strangers. It signs nobody in."""

from datetime import timedelta

from fastapi import Response

from deployments.http.client_addresses import DEVICE_COOKIE
from integrations.settings import Settings

_PATH = "/api"


def remember_device(answer: Response, cookie: str, settings: Settings) -> None:
    """Give a device its cookie; an empty one changes nothing."""
    if not cookie:
        return
    answer.set_cookie(
        DEVICE_COOKIE,
        cookie,
        max_age=int(timedelta(days=settings.identity.known_device_days).total_seconds()),
        path=_PATH,
        secure=settings.api.public_url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )
