"""Requests and responses as bytes, and the connections that carry them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cluster.load.http_client import ConnectionPool, NoResponseError, Response, ResponseReader, request

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WHOLE = b"HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 5\r\n\r\nhello"


def test_a_whole_response() -> None:
    assert ResponseReader().feed(WHOLE) == Response(200, b"hello", closes=False)


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_response_in_two_pieces(cut: int) -> None:
    reader = ResponseReader()
    assert reader.feed(WHOLE[:cut]) is None
    assert reader.feed(WHOLE[cut:]) == Response(200, b"hello", closes=False)


def test_one_response_after_another() -> None:
    reader = ResponseReader()
    assert [reader.feed(piece) for piece in (WHOLE, WHOLE)] == [Response(200, b"hello", closes=False)] * 2


def test_a_response_without_a_body() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
    assert ResponseReader().feed(head) == Response(503, b"", closes=True)


def test_a_line_break_in_the_body_ends_nothing() -> None:
    body = b"\r\n\r\ncontent-length: 99\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    assert ResponseReader().feed(whole) == Response(200, body, closes=False)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        WHOLE + b"more",
    ],
)
def test_what_cannot_be_read_is_refused(sent: bytes) -> None:
    with pytest.raises(NoResponseError):
        ResponseReader().feed(sent)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def _answer(body: bytes, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + extra + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


async def _sent(serving: Serving, times: int, timeout_s: float = 2.0) -> tuple[list[bytes | str], int]:
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            await serving(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(counted, "127.0.0.1", 0)
    pool = ConnectionPool("127.0.0.1", server.sockets[0].getsockname()[1], timeout_s)
    received: list[bytes | str] = []
    for number in range(times):
        try:
            content = request("POST", "127.0.0.1", "/api/scans", "Device id.secret", b"%d" % number)
            response = (await pool.exchange(content)).response
            received.append(response.body)
        except NoResponseError:
            received.append("none")
    pool.close()
    server.close()
    await asyncio.sleep(0.05)
    return received, connections


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        content = await _request(reader)
        assert b"Authorization: Device id.secret\r\n" in content
        writer.write(_answer(content[-1:]))


def test_a_connection_is_used_again() -> None:
    assert asyncio.run(_sent(_echo, 3)) == ([b"0", b"1", b"2"], 1)


def test_one_that_the_stack_closes_is_not() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = await _request(reader)
        writer.write(_answer(content[-1:], b"Connection: close\r\n"))

    assert asyncio.run(_sent(once, 3)) == ([b"0", b"1", b"2"], 3)


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_what_is_no_response_is_an_error(said: bytes) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        writer.write(said)

    assert asyncio.run(_sent(breaking, 2)) == (["none", "none"], 2)


def test_a_response_that_does_not_come_is_given_up_with_its_connection() -> None:
    async def silent_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        content = await _request(reader)
        if content.endswith(b"0"):
            await asyncio.sleep(0.3)
        writer.write(_answer(content[-1:]))
        await writer.drain()

    assert asyncio.run(_sent(silent_at_first, 2, timeout_s=0.1)) == (["none", b"1"], 2)


def test_no_server_is_an_error() -> None:
    async def send() -> None:
        await ConnectionPool("127.0.0.1", 1, 1.0).exchange(b"GET")

    with pytest.raises(NoResponseError):
        asyncio.run(send())
