"""One final answer for each request, and a closed connection where its body was not read: on real sockets."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from deployments.http import body_reading as body
from domain.identity.model import Role
from tests.unit.deployments.harness import Harness

pytestmark = pytest.mark.anyio

_PATIENCE_S = 60.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection:
    """A client that writes and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def write(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def until(self, end: bytes) -> bytes:
        """Everything up to the end of something."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self._reader.readuntil(end)

    async def answer(self) -> tuple[bytes, bytes]:
        """Head and body of one answer."""
        head = await self.until(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length, head
        async with asyncio.timeout(_PATIENCE_S):
            return head, await self._reader.readexactly(int(length[1]))

    async def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self._reader.read()


@asynccontextmanager
async def connected(harness: Harness, http: str) -> AsyncIterator[Connection]:
    """A connection to a server of our application, as Serve starts it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # who connects before the server is ready waits
        config = uvicorn.Config(
            harness.public, http=http, root_path="/api", lifespan="off", access_log=False, log_config=None
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()
            server.should_exit = True
            await serving


@pytest.fixture(params=["httptools", "h11"])
async def connection(harness: Harness, request: pytest.FixtureRequest) -> AsyncIterator[Connection]:
    async with connected(harness, request.param) as connection:
        yield connection


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_DRAINED_S", 0.2)


def head(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: gym.test", *headers, "", ""]).encode()


UPLOAD = "Content-Type: image/jpeg"
JSON = "Content-Type: application/json"
EXPECT = "Expect: 100-continue"
CHUNKED = "Transfer-Encoding: chunked"
HUGE = "Content-Length: 90000000"
REFUSED = [
    ("PUT", "/me/picture", (UPLOAD, HUGE), 401),
    ("PUT", "/me/picture", (UPLOAD, HUGE, "AS USER"), 413),
    ("PUT", "/me/picture", ("Content-Type: image/gif", "Content-Length: 9", "AS USER"), 415),
    ("PUT", "/me/picture", (UPLOAD, CHUNKED), 401),
    ("POST", "/payments/webhooks", (JSON, HUGE), 413),
    ("POST", "/sessions", (JSON, HUGE), 413),
    ("POST", "/sessions", ("Content-Type: text/html", "Content-Length: 9"), 415),
    ("POST", "/scans", (JSON, HUGE), 413),
    ("POST", "/nothing", (JSON, HUGE), 413),
    ("GET", "/health", ("Content-Length: 9",), 200),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), REFUSED)
async def test_who_waits_for_100_continue_gets_one_answer_and_a_closed_connection(
    harness: Harness, connection: Connection, method: str, path: str, headers: tuple[str, ...], status: int
) -> None:
    token = harness.bearer(Role.USER)["Authorization"]
    named = [f"Authorization: {token}" if each == "AS USER" else each for each in headers]
    await connection.write(head(method, path, EXPECT, *named))
    answer, _ = await connection.answer()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close\r\n" in answer
    assert await connection.rest() == b""


@pytest.mark.parametrize(("method", "path", "headers", "status"), [each for each in REFUSED if CHUNKED not in each[2]])
async def test_who_does_not_wait_for_100_continue_gets_the_answer_and_what_follows_is_taken_for_no_request(
    connection: Connection, method: str, path: str, headers: tuple[str, ...], status: int
) -> None:
    named = [each for each in headers if each != "AS USER"]
    await connection.write(head(method, path, EXPECT, *named), head("GET", "/version"))
    answer, _ = await connection.answer()
    assert not answer.startswith(_CONTINUE), status
    assert b"connection: close\r\n" in answer
    # Half a request after a body of nine bytes is none, as the server itself says.
    assert await connection.rest() == b"" or HUGE not in headers


async def test_who_does_not_wait_for_100_continue_gets_the_answer_however_long_its_body(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "_DRAINED_S", _PATIENCE_S)
    await connection.write(head("PUT", "/me/picture", EXPECT, UPLOAD, "Content-Length: 4000000"))
    await connection.write(*[b"x" * 100_000] * 40)
    answer, _ = await connection.answer()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert await connection.rest() == b""


@pytest.mark.parametrize(("method", "path", "headers", "status"), [each for each in REFUSED if HUGE in each[2]])
async def test_what_is_sent_as_a_body_is_taken_for_no_request(
    connection: Connection, method: str, path: str, headers: tuple[str, ...], status: int
) -> None:
    named = [each for each in headers if each != "AS USER"]
    await connection.write(head(method, path, *named), head("GET", "/version"))
    answers = await connection.rest()
    assert answers.count(b"HTTP/1.1 ") == 1, status
    assert b"connection: close\r\n" in answers


async def test_a_small_body_that_nobody_wants_does_not_end_the_connection(connection: Connection) -> None:
    for _ in range(2):
        await connection.write(head("GET", "/health", "Content-Length: 2"), b"{}")
        answer, alive = await connection.answer()
        assert alive == b'{"alive":true}'
        assert b"connection: close" not in answer


async def test_a_body_that_is_wanted_is_asked_for_and_the_connection_goes_on(connection: Connection) -> None:
    for _ in range(2):
        await connection.write(head("POST", "/sessions", EXPECT, JSON, "Content-Length: 4"))
        assert await connection.until(b"\r\n\r\n") == _CONTINUE
        await connection.write(b"n", b"o", b"n", b"e")
        answer, _ = await connection.answer()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" not in answer
    await connection.write(head("GET", "/health"))
    assert (await connection.answer())[1] == b'{"alive":true}'


@pytest.mark.parametrize(
    ("path", "kind", "module"),
    [
        ("/sessions", JSON, "body_reading"),
        ("/me/picture", UPLOAD, "uploads"),
        ("/payments/webhooks", JSON, "body_reading"),
    ],
)
@pytest.mark.parametrize("expects", [True, False])
async def test_a_body_that_comes_too_slowly_gets_one_answer_and_a_closed_connection(
    harness: Harness,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    kind: str,
    module: str,
    *,
    expects: bool,
) -> None:
    monkeypatch.setattr(f"deployments.http.{module}._WITHIN_S", 0.2)
    method = "PUT" if path == "/me/picture" else "POST"
    sent = [kind, "Content-Length: 1000", f"Authorization: {harness.bearer(Role.USER)['Authorization']}"]
    await connection.write(head(method, path, *([EXPECT] if expects else []), *sent))
    if expects:
        assert await connection.until(b"\r\n\r\n") == _CONTINUE
    await connection.write(b"a", b"b")
    answer, problem = await connection.answer()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close\r\n" in answer
    assert b"body_too_slow" in problem
    assert await connection.rest() == b""


@pytest.mark.parametrize("kind", ["length", "chunked"])
async def test_who_sends_everything_before_it_reads_gets_the_answer_all_the_same(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(body, "_DRAINED_S", _PATIENCE_S)
    piece = b"x" * 100_000
    if kind == "length":
        await connection.write(head("POST", "/sessions", JSON, "Content-Length: 4000000"), *[piece] * 40)
    else:
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece)] * 40
        await connection.write(head("POST", "/sessions", JSON, "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n")
    answer, problem = await connection.answer()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in problem
    assert await connection.rest() == b""
