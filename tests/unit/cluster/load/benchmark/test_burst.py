"""The first answers of a burst, sorted by what they say."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from cluster.load.benchmark.burst import sort_answers
from cluster.load.benchmark.scan_plan import Planner
from cluster.load.generator import Answer
from cluster.load.oracle import AnswerLog
from cluster.load.scans import Scan
from cluster.load.world import World
from domain.door.model import Outcome, Reason, Remedy, ScanAnswer
from tests.unit.cluster.load.benchmark.test_traffic import right_answer
from tests.unit.cluster.load.conftest import NOW


@pytest.fixture
def planned(world: World) -> list[Scan]:
    return Planner(world, 1, 0.0).entries(1, NOW, timedelta(seconds=10))[0][:4]


def said(answer: ScanAnswer) -> Answer:
    return Answer(1.0, 0.25, 200, msgspec.json.encode(answer), late=0.05)


def test_each_first_answer_is_what_it_says(planned: list[Scan]) -> None:
    decided, busy, late, lost = planned
    too_late = replace(
        right_answer(late),
        outcome=Outcome.REFUSED,
        reason=Reason.TOO_LATE,
        remedy=Remedy.SCAN_AGAIN,
    )
    answers = [
        said(right_answer(decided)),
        Answer(1.0, 1.9, 503, b"{}", retry_after=True),
        said(too_late),
        Answer(1.0, 1.9, 503, b"no word on when"),
    ]
    log = AnswerLog()
    wave = sort_answers([planned], [answers], log)
    assert (wave.decided_ms, wave.retry, wave.too_late, wave.errors, wave.wrong) == ([300.0], [busy], [late], [lost], 0)
    assert [answer.scan_id for _, answer in log.answers] == [decided.scan_id, late.scan_id]


def test_what_was_never_sent_is_an_error(planned: list[Scan]) -> None:
    wave = sort_answers([planned], [[said(right_answer(planned[0]))]], AnswerLog())
    assert (wave.errors, len(wave.decided_ms)) == (planned[1:], 1)


def test_an_answer_about_somebody_else_is_wrong(planned: list[Scan]) -> None:
    log = AnswerLog()
    other = right_answer(planned[1])
    wave = sort_answers([planned[:1]], [[said(other)]], log)
    assert (wave.wrong, wave.decided_ms, len(log.examples)) == (1, [], 1)


@pytest.mark.parametrize(("repeated", "wrong"), [(False, 1), (True, 0)])
def test_only_a_repeated_scan_may_have_been_decided_before(planned: list[Scan], *, repeated: bool, wrong: int) -> None:
    before = replace(right_answer(planned[0]), replayed=True)
    wave = sort_answers([planned[:1]], [[said(before)]], AnswerLog(), repeated=repeated)
    assert wave.wrong == wrong
