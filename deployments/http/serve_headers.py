"""Middleware that sets request headers for Serve: no disconnect watcher and timer, valid request ids.

Scans and streams are neither watched nor timed. For every request Serve starts a task that waits for the client to
disconnect and a timer of `request_timeout_s`; together they cost as much as the scan itself. A scan needs neither: it
continues without its client, and its deadline ends it long before. Two headers disable both
(`ray.serve._private.http_util`). The timer covers the whole response, and would end every stream of the live view.

A request with `Expect: 100-continue` is not watched either. The watching task reads the body at once, which sends
`100 Continue` before the application has seen the request.

An `X-Request-Id` that is not `[A-Za-z0-9._-]{1,64}`, or is repeated, is replaced. Otherwise Serve returns and logs it,
although the application uses a new one.

`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names `middlewares`. Without it scans cost more, streams end after
`request_timeout_s` and reconnect, `100 Continue` is always sent, and a malformed `X-Request-Id` appears in the response
header while body and logs have the new one.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.http.headers import REQUEST_ID, request_id_of

IMPORT_PATH = f"{__name__}:middlewares"
_SCANS = "/api/scans"
_STREAMS = "/api/live/"
_UNTIMED = (b"x-request-timeout-seconds", b"0")
_UNWATCHED = (b"x-request-disconnect-disabled", b"?1")


class ServeHeaders:
    """Changes the headers of requests, and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on."""
        if scope["type"] == "http":  # the last of a name counts, whatever the client sent
            headers = scope["headers"]
            named = (REQUEST_ID, request_id_of(headers).encode())
            headers[:] = [*(header for header in headers if header[0] != REQUEST_ID), named]
            if scope["path"] == _SCANS and scope["method"] == "POST":
                headers.extend((_UNWATCHED, _UNTIMED))
            elif scope["path"].startswith(_STREAMS):
                headers.append(_UNTIMED)
            elif any(name == b"expect" for name, _ in headers):
                headers.append(_UNWATCHED)
        await self._app(scope, receive, send)


def middlewares() -> list[Middleware]:
    """Called by Serve in every replica that has an HTTP server."""
    return [Middleware(ServeHeaders)]
