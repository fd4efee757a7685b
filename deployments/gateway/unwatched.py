"""Scans as Serve sees them: requests that it need neither watch nor time.

For every request Serve starts a task that waits for the client to leave and a timer of `request_timeout_s`, which cost
as much as the scan's own way through the gateway. A scan needs neither: it goes on when its client is gone, and its
deadline ends it long before. Serve leaves both out where two headers say so (`ray.serve._private.http_util`).

`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names `middlewares`; where it is not set scans only cost more.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

IMPORT_PATH = f"{__name__}:middlewares"
_SCANS = "/api/scans"
_UNWATCHED = [(b"x-request-disconnect-disabled", b"?1"), (b"x-request-timeout-seconds", b"0")]


class UnwatchedScans:
    """Adds the headers to scans and to nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on."""
        if scope["type"] == "http" and scope["path"] == _SCANS and scope["method"] == "POST":
            scope["headers"].extend(_UNWATCHED)  # the last of a name counts, whatever the client sent
        await self._app(scope, receive, send)


def middlewares() -> list[Middleware]:
    """Called by Serve in every replica that has an HTTP server."""
    return [Middleware(UnwatchedScans)]
