"""The load generator as a process of its own."""

from pathlib import Path

import pytest

from cluster.errors import CommandError
from cluster.load.generator_process import measure
from cluster.load.job import Job
from cluster.local.ports import free_port
from cluster.local.process import ProcessId
from cluster.local.record import StackRecord
from tests.unit.load.benchmark.test_load import server

BODY = b"x" * 10_000
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


@pytest.fixture
def record(tmp_path: Path) -> StackRecord:
    return StackRecord("full", "127.0.0.1", 8000, tmp_path, tmp_path, boot=0.0, supervisor=ProcessId(2**22, 0.0))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_much_is_brought_whole(record: StackRecord, unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with server(ANSWER) as port:
        measured = measure(record, Job("127.0.0.1", port, [[b"GET"] * 500] * 2, repeats=False, seconds=20))
    answers = [answer for lane in measured.driven.lanes for answer in lane]
    assert len(answers) > 500
    assert {(answer.status, answer.body) for answer in answers} == {(200, BODY)}


def test_nobody_there_is_told_in_one_line(record: StackRecord) -> None:
    with pytest.raises(CommandError, match="load generator"):
        measure(record, Job("127.0.0.1", free_port(), [[b"GET"]], repeats=False, seconds=1))
