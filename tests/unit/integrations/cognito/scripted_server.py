"""An HTTP server on this machine that answers POSTs as it is told, one after the other, and keeps what it was sent."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event

from tests.loopback import serving


@dataclass
class ScriptedServer:
    """What it answers: statuses and bodies, the last of them again and again.

    Args:
        may_answer: unset while nobody is to get an answer.
    """

    url: str
    answers: list[tuple[int, bytes]] = field(default_factory=lambda: [(200, b"{}")])
    paths: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    may_answer: Event = field(default_factory=Event)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """A server that is up for the length of a `with`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.paths.append(self.path)
            state.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            state.may_answer.wait(20)
            status, body = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            with suppress(ConnectionError):  # who asked has hung up
                self._answer(status, body)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the handler's own signature
            pass

    with serving(Handler) as port:
        state = ScriptedServer(f"http://127.0.0.1:{port}")
        state.may_answer.set()
        try:
            yield state
        finally:
            state.may_answer.set()
