"""An HTTP server on this machine that hands out a JWKS, counts the calls, and fails when told to."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Event

from tests.loopback import serving


class KeyServer:
    """What the server answers, and how often it was asked."""

    def __init__(self) -> None:
        self.document = b'{"keys": []}'
        self.status = 200
        self.calls = 0
        self.url = ""
        self.may_answer = Event()
        self.may_answer.set()


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """A server that is up for the length of a `with`."""
    state = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.calls += 1
            state.may_answer.wait(10)
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(state.document)))
            self.end_headers()
            self.wfile.write(state.document)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the handler's own signature
            pass

    with serving(Handler) as port:
        state.url = f"http://127.0.0.1:{port}/jwks.json"
        try:
            yield state
        finally:
            state.may_answer.set()
