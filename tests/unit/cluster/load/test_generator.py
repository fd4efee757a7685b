"""The load generator against small servers."""

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
import uvloop

from cluster.errors import CommandError
from cluster.load.generator import BEGAN, ENDED, GeneratorProcess, Job, JobResult, Run, at_once, steady
from cluster.local.ports import free_port

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


BODY = b"x" * 10_000
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


def drive(
    port: int,
    *,
    lanes: list[list[bytes]],
    repeats: bool = False,
    seconds: float,
    timeout_s: float = 5.0,
    due: list[list[float]] | None = None,
    keeps_bodies: bool = True,
) -> JobResult:
    out = io.BytesIO()
    job = Job("127.0.0.1", port, lanes, repeats, seconds, timeout_s, due, keeps_bodies)
    driven = uvloop.run(Run(msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=Job)).drive(out))
    assert out.getvalue() == BEGAN + ENDED
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


def test_with_a_schedule_each_request_leaves_when_it_is_due() -> None:
    due = [[0.0, 0.1, 0.2], [0.05, 0.15]]
    with server(OK) as port:
        driven = drive(port, lanes=[[b"GET"] * len(lane) for lane in due], seconds=0.3, due=due)
    assert [len(lane) for lane in driven.lanes] == [3, 2]
    for lane, times in zip(driven.lanes, due, strict=True):
        assert all(answer.sent >= at - 0.002 for answer, at in zip(lane, times, strict=True))
        assert [answer.sent - answer.late for answer in lane] == pytest.approx(times, abs=0.002)


def test_a_lane_that_waits_sends_late_and_counts_it() -> None:
    with server(b"", OK) as port:
        driven = drive(port, lanes=[[b"GET"] * 3], seconds=0.4, timeout_s=0.3, due=[[0.0, 0.01, 0.02]])
    first, *others = driven.lanes[0]
    assert (first.status, len(others)) == (0, 2)
    assert all(answer.late > 0.25 and answer.latency > 0.25 for answer in others)


def test_a_schedule_is_sent_completely_and_ends_with_its_last_answer() -> None:
    with server(OK) as port:
        driven = drive(port, lanes=[[b"GET"] * 20, [b"GET"]], seconds=30, due=[[0.0] * 20, [0.0]])
    assert [len(lane) for lane in driven.lanes] == [20, 1]
    assert driven.seconds < 5
    assert not driven.ran_out


def test_bodies_of_errors_alone_are_kept_where_nobody_needs_the_others() -> None:
    error = b"HTTP/1.1 409 Conflict\r\ncontent-length: 3\r\n\r\nwhy"
    with server(OK, error) as port:
        driven = drive(port, lanes=[[b"GET"] * 2], seconds=5, keeps_bodies=False)
    assert [(answer.status, answer.body) for answer in driven.lanes[0]] == [(200, b""), (409, b"why")]


def test_an_answer_with_retry_after_is_marked() -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\ncontent-length: 0\r\n\r\n"
    with server(OK, busy) as port:
        driven = drive(port, lanes=[[b"GET"] * 2], seconds=5)
    assert [(answer.status, answer.retry_after) for answer in driven.lanes[0]] == [(200, False), (503, True)]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_process_returns_all_answers(unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with (
        server(LONG) as port,
        GeneratorProcess(Job("127.0.0.1", port, [[b"GET"] * 500] * 2, repeats=False, seconds=20)) as process,
    ):
        process.begin()
        process.wait()
        driven = process.result()
    answers = [answer for lane in driven.lanes for answer in lane]
    assert len(answers) > 500
    assert {(answer.status, answer.body) for answer in answers} == {(200, BODY)}


def test_the_process_fails_where_nobody_listens() -> None:
    job = Job("127.0.0.1", free_port(), [[b"GET"]], repeats=False, seconds=1)
    with GeneratorProcess(job) as process, pytest.raises(CommandError, match="load generator"):
        process.begin()


@pytest.mark.parametrize(("rate", "requests", "lanes"), [(100.0, 500, 8), (3.0, 10, 4), (50.0, 2, 5)])
def test_requests_are_due_at_even_distances_over_all_lanes(rate: float, requests: int, lanes: int) -> None:
    due = steady(rate, requests, lanes)
    assert len(due) == lanes
    assert sorted(at for lane in due for at in lane) == pytest.approx([place / rate for place in range(requests)])


def test_each_lane_has_every_nth_request() -> None:
    assert steady(10.0, 7, 3) == [[0.0, 0.3, 0.6], [0.1, 0.4], [0.2, 0.5]]


def test_all_at_once_is_as_long_as_the_lanes() -> None:
    assert at_once(["abc", "", "a"]) == [[0.0, 0.0, 0.0], [], [0.0]]
