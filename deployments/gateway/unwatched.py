"""Requests that Serve need not watch or time: scans, and streams.

For every request Serve starts a task that waits for the client to leave and a timer of `request_timeout_s`, which cost
as much as the scan's own way through the gateway. A scan needs neither: it goes on when its client is gone, and its
deadline ends it long before. Serve leaves both out where two headers say so (`ray.serve._private.http_util`).
The timer runs for the whole answer, however much of it was sent: it would cut every stream of the live view.

`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names `middlewares`; where it is not set scans only cost more, and streams
are cut after `request_timeout_s`, which their clients mend by coming back.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

IMPORT_PATH = f"{__name__}:middlewares"
_SCANS = "/api/scans"
_STREAMS = "/api/live/"
_UNTIMED = (b"x-request-timeout-seconds", b"0")
_UNWATCHED = [(b"x-request-disconnect-disabled", b"?1"), _UNTIMED]


class UnwatchedScans:
    """Adds the headers to scans and streams, and to nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on."""
        if scope["type"] == "http":  # the last of a name counts, whatever the client sent
            if scope["path"] == _SCANS and scope["method"] == "POST":
                scope["headers"].extend(_UNWATCHED)
            elif scope["path"].startswith(_STREAMS):
                scope["headers"].append(_UNTIMED)
        await self._app(scope, receive, send)


def middlewares() -> list[Middleware]:
    """Called by Serve in every replica that has an HTTP server."""
    return [Middleware(UnwatchedScans)]
