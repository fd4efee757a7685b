"""Connections from the gates to the stack."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cluster.load.http_client import NoResponseError, StackWire

Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _question(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


def _answer(body: bytes, extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + extra + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


async def _asked(serving: Serving, times: int, timeout_s: float = 2.0) -> tuple[list[bytes | str], int]:
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
    wire = StackWire("127.0.0.1", server.sockets[0].getsockname()[1], timeout_s)
    heard: list[bytes | str] = []
    for number in range(times):
        try:
            response, _ = await wire.post(b"%d" % number, "id.secret")
            heard.append(response.body)
        except NoResponseError:
            heard.append("none")
    wire.close()
    server.close()
    await asyncio.sleep(0.05)
    return heard, connections


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        question = await _question(reader)
        assert b"Authorization: Device id.secret\r\n" in question
        writer.write(_answer(question[-1:]))


def test_a_connection_is_used_again() -> None:
    assert asyncio.run(_asked(_echo, 3)) == ([b"0", b"1", b"2"], 1)


def test_one_that_the_stack_closes_is_not() -> None:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await _question(reader)
        writer.write(_answer(question[-1:], b"Connection: close\r\n"))

    assert asyncio.run(_asked(once, 3)) == ([b"0", b"1", b"2"], 3)


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_what_is_no_answer_is_none(said: bytes) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _question(reader)
        writer.write(said)

    assert asyncio.run(_asked(breaking, 2)) == (["none", "none"], 2)


def test_silence_is_waited_for_so_long_and_its_connection_is_not_used_again() -> None:
    async def silent_at_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await _question(reader)
        if question.endswith(b"0"):
            await asyncio.sleep(0.3)
        writer.write(_answer(question[-1:]))
        await writer.drain()

    assert asyncio.run(_asked(silent_at_first, 2, timeout_s=0.1)) == (["none", b"1"], 2)


def test_nobody_there_is_no_answer() -> None:
    async def ask() -> None:
        await StackWire("127.0.0.1", 1, 1.0).post(b"{}", "id.secret")

    with pytest.raises(NoResponseError):
        asyncio.run(ask())
