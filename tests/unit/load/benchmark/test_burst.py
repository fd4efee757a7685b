"""A burst's first answers, sorted by what they say."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from cluster.load.benchmark.burst import judge
from cluster.load.benchmark.ledger import Ledger
from cluster.load.benchmark.scan_plan import PlannedScan, Planner
from cluster.load.job import Answer
from cluster.load.world import BenchWorld
from domain.door.model import Outcome, Reason, Remedy, ScanAnswer
from tests.unit.load.benchmark.conftest import NOW
from tests.unit.load.benchmark.test_check import right_answer


@pytest.fixture
def planned(bench_world: BenchWorld) -> list[PlannedScan]:
    return Planner(bench_world, 1, 0.0).entries(1, NOW, timedelta(seconds=10))[0][:4]


def said(answer: ScanAnswer) -> Answer:
    return Answer(1.0, 0.25, 200, msgspec.json.encode(answer), late=0.05)


def test_each_first_answer_is_what_it_says(planned: list[PlannedScan], bench_world: BenchWorld) -> None:
    decided, busy, late, lost = planned
    too_late = replace(
        right_answer(late, bench_world.capacity),
        outcome=Outcome.REFUSED,
        reason=Reason.TOO_LATE,
        remedy=Remedy.SCAN_AGAIN,
    )
    answers = [
        said(right_answer(decided, bench_world.capacity)),
        Answer(1.0, 1.9, 503, b"{}", retry_after=True),
        said(too_late),
        Answer(1.0, 1.9, 503, b"no word on when"),
    ]
    ledger = Ledger()
    wave = judge([planned], [answers], bench_world.capacity, ledger)
    assert (wave.decided_ms, wave.again, wave.anew, wave.errors, wave.wrong) == ([300.0], [busy], [late], [lost], 0)
    assert [answer.scan_id for _, answer in ledger.answers] == [decided.scan_id, late.scan_id]


def test_what_was_never_sent_is_an_error(planned: list[PlannedScan], bench_world: BenchWorld) -> None:
    wave = judge([planned], [[said(right_answer(planned[0], bench_world.capacity))]], bench_world.capacity, Ledger())
    assert (wave.errors, len(wave.decided_ms)) == (planned[1:], 1)


def test_an_answer_about_somebody_else_is_wrong(planned: list[PlannedScan], bench_world: BenchWorld) -> None:
    ledger = Ledger()
    other = right_answer(planned[1], bench_world.capacity)
    wave = judge([planned[:1]], [[said(other)]], bench_world.capacity, ledger)
    assert (wave.wrong, wave.decided_ms, len(ledger.examples)) == (1, [], 1)


@pytest.mark.parametrize(("repeated", "wrong"), [(False, 1), (True, 0)])
def test_only_a_repeated_scan_may_have_been_decided_before(
    planned: list[PlannedScan], bench_world: BenchWorld, *, repeated: bool, wrong: int
) -> None:
    before = replace(right_answer(planned[0], bench_world.capacity), replayed=True)
    wave = judge([planned[:1]], [[said(before)]], bench_world.capacity, Ledger(), repeated=repeated)
    assert wave.wrong == wrong
