"""Responses are cut out of whatever pieces arrive."""

import pytest

from cluster.load.responses import Response, ResponseError, Responses

WHOLE = b"HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 5\r\n\r\nhello"


def test_a_whole_response() -> None:
    assert Responses().feed(WHOLE) == Response(200, b"hello", closes=False)


@pytest.mark.parametrize("cut", range(1, len(WHOLE)))
def test_a_response_in_two_pieces(cut: int) -> None:
    reader = Responses()
    assert reader.feed(WHOLE[:cut]) is None
    assert reader.feed(WHOLE[cut:]) == Response(200, b"hello", closes=False)


def test_one_response_after_another() -> None:
    reader = Responses()
    assert [reader.feed(piece) for piece in (WHOLE, WHOLE)] == [Response(200, b"hello", closes=False)] * 2


def test_a_response_without_a_body() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"
    assert Responses().feed(head) == Response(503, b"", closes=True)


def test_a_line_break_in_the_body_ends_nothing() -> None:
    body = b"\r\n\r\ncontent-length: 99\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    assert Responses().feed(whole) == Response(200, body, closes=False)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        WHOLE + b"more",
    ],
)
def test_what_cannot_be_read_is_refused(sent: bytes) -> None:
    with pytest.raises(ResponseError):
        Responses().feed(sent)
