"""What Serve is to do differently with requests, said before it looks at them: in their headers.

Scans and streams need not be watched or timed.

For every request Serve starts a task that waits for the client to leave and a timer of `request_timeout_s`, which cost
as much as the scan's own way through the gateway. A scan needs neither: it goes on when its client is gone, and its
deadline ends it long before. Serve leaves both out where two headers say so (`ray.serve._private.http_util`).
The timer runs for the whole answer, however much of it was sent: it would cut every stream of the live view.

A request that expects `100 Continue` is not watched either. The watching task reads the body at once, which tells the
client to send it before anybody has looked at the request; unwatched, it is told so when its body is wanted.

An `X-Request-Id` that is not `[A-Za-z0-9._-]{1,64}`, or comes twice, is replaced: Serve would repeat it in the answer's
header and log it, while the gateway has given the request another one.

`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH` names `middlewares`. Where it is not set scans only cost more; streams are
cut after `request_timeout_s`, and their clients connect again; `100 Continue` is sent to everybody; and the header
`X-Request-Id` of an answer repeats a malformed one, while its body and the logs have the new one.
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
