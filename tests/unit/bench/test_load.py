"""The load generator against small servers."""

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
import uvloop

from cluster.bench.job import BEGAN, ENDED, Driven, Job
from cluster.bench.load import Run

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def server(*script: bytes | None) -> Iterator[int]:
    """A server that answers the requests of each connection by the script, then from its beginning.

    None closes the connection without an answer, empty bytes are no answer at all.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, script), daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, script: tuple[bytes | None, ...]) -> None:
    turns = iter(script * 100_000)
    try:
        while True:
            threading.Thread(target=_serve, args=(listening.accept()[0], turns), daemon=True).start()
    except OSError:
        return


def _serve(link: socket.socket, turns: Iterator[bytes | None]) -> None:
    with link:
        try:
            while link.recv(65536):
                answer = next(turns)
                if answer is None:
                    return
                link.sendall(answer)
        except ConnectionError:
            return


def drive(port: int, *, lanes: list[list[bytes]], repeats: bool, seconds: float, timeout_s: float = 5.0) -> Driven:
    told = io.BytesIO()
    job = Job("127.0.0.1", port, lanes, repeats, seconds, timeout_s)
    driven = uvloop.run(Run(msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=Job)).drive(told))
    assert told.getvalue() == BEGAN + ENDED
    return driven


def test_every_request_is_answered_in_its_lane() -> None:
    with server(OK) as port:
        driven = drive(port, lanes=[[b"GET"] * 30, [b"GET"] * 40], repeats=False, seconds=5)
    assert driven.ran_out
    assert driven.seconds < 5
    assert len(driven.lanes[0]) == 30 or len(driven.lanes[1]) == 40
    assert {(answer.status, answer.body) for lane in driven.lanes for answer in lane} == {(200, b"ok")}


def test_a_lane_that_repeats_asks_until_the_end() -> None:
    with server(OK) as port:
        driven = drive(port, lanes=[[b"GET"]] * 3, repeats=True, seconds=0.3)
    assert not driven.ran_out
    assert driven.seconds == pytest.approx(0.3)
    assert all(len(lane) > 5 for lane in driven.lanes)


def test_a_lost_connection_is_an_error_and_the_next_request_is_sent_on_another() -> None:
    with server(OK, None) as port:
        driven = drive(port, lanes=[[b"GET"] * 10], repeats=False, seconds=5)
    assert [answer.status for answer in driven.lanes[0]] == [200, 0] * 5


def test_a_server_that_closes_after_its_answer_is_asked_on() -> None:
    with server(CLOSING) as port:
        driven = drive(port, lanes=[[b"GET"] * 10], repeats=False, seconds=5)
    assert [answer.status for answer in driven.lanes[0]] == [200] * 10


def test_an_answer_that_does_not_come_is_given_up() -> None:
    with server(b"") as port:
        driven = drive(port, lanes=[[b"GET"] * 3], repeats=False, seconds=0.2, timeout_s=0.3)
    assert [(answer.status, answer.body) for answer in driven.lanes[0]] == [(0, b"no answer in time")]


def test_what_is_no_response_is_an_error() -> None:
    with server(b"nonsense\r\n\r\n") as port:
        driven = drive(port, lanes=[[b"GET"] * 2], repeats=False, seconds=5)
    assert [answer.status for answer in driven.lanes[0]] == [0, 0]
