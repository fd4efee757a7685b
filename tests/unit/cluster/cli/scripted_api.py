"""Stands for the API: answers scans as it is told to, one answer after the other, and keeps what it was asked."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import serving

Answer = tuple[int, dict[str, Any] | bytes]


@dataclass
class ScriptedApi:
    """The last answer is given for ever."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    retry_after: str = "1"


@contextmanager
def scripted_api() -> Iterator[ScriptedApi]:
    """A server that is up for the length of a `with`."""
    state = ScriptedApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, self.headers["Authorization"], body))
            status, answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status == 503:
                self.send_header("Retry-After", state.retry_after)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the handler's own signature
            pass

    with serving(Handler) as state.port:
        yield state
