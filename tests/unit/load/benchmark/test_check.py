"""What is wrong with an answer is seen."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from cluster.load.answer_checks import Checked, check
from cluster.load.benchmark.scan_plan import PlannedScan, Planner
from cluster.load.job import Answer, Driven
from cluster.load.world import BenchWorld
from domain.door.model import Outcome, Reason, Remedy, ScanAnswer, ShownMember
from domain.ids import new_id
from tests.unit.load.benchmark.conftest import NOW

SENT = 1.0


@pytest.fixture
def planned(bench_world: BenchWorld) -> PlannedScan:
    return Planner(bench_world, 1, 0.0).entries(1, NOW, timedelta(seconds=10))[0][0]


def right_answer(planned: PlannedScan, capacity: int) -> ScanAnswer:
    member = planned.expected.member
    assert member is not None
    return ScanAnswer(
        scan_id=planned.scan_id,
        outcome=Outcome.ENTERED,
        reason=None,
        remedy=None,
        member=ShownMember(member.id, member.name, None),
        gym_id=planned.gate.gym_id,
        occupancy=1,
        capacity=capacity,
        decided_at=NOW + timedelta(seconds=SENT + 0.005),
        replayed=False,
    )


def checked(scans: list[PlannedScan], answers: list[tuple[int, bytes]], capacity: int) -> Checked:
    lane = [Answer(SENT, 0.01, status, body) for status, body in answers]
    return check([scans], Driven(NOW.timestamp(), 10, 0, [lane], ran_out=False), capacity)


def test_the_right_answer_is_right(planned: PlannedScan, bench_world: BenchWorld) -> None:
    body = msgspec.json.encode(right_answer(planned, bench_world.capacity))
    found = checked([planned], [(200, body)], bench_world.capacity)
    assert (found.wrong, found.errors, len(found.answers)) == (0, 0, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"scan_id": "another"},
        {"outcome": Outcome.LEFT},
        {"outcome": Outcome.REFUSED, "reason": Reason.TOO_LATE, "remedy": Remedy.SCAN_AGAIN},
        {"remedy": Remedy.RENEW},
        {"member": None},
        {"member": ShownMember(UUID(int=1), "Somebody else", None)},
        {"gym_id": UUID(int=2)},
        {"occupancy": -1},
        {"occupancy": 10_000},
        {"capacity": 10_000},
        {"decided_at": NOW - timedelta(seconds=1)},
        {"decided_at": NOW + timedelta(seconds=3)},
        {"replayed": True},
    ],
    ids=str,
)
def test_whatever_differs_is_wrong(planned: PlannedScan, bench_world: BenchWorld, change: dict[str, Any]) -> None:
    body = msgspec.json.encode(replace(right_answer(planned, bench_world.capacity), **change))
    found = checked([planned], [(200, body)], bench_world.capacity)
    assert (found.wrong, found.errors, len(found.examples)) == (1, 0, 1)


def test_what_is_no_answer_is_wrong(planned: PlannedScan, bench_world: BenchWorld) -> None:
    assert checked([planned], [(200, b"{}")], bench_world.capacity).wrong == 1


def test_an_error_leaves_later_answers_about_the_member_unchecked(
    planned: PlannedScan, bench_world: BenchWorld
) -> None:
    other = replace(planned, about=new_id())
    body = msgspec.json.encode(right_answer(planned, bench_world.capacity))
    wrong = msgspec.json.encode(replace(right_answer(planned, bench_world.capacity), outcome=Outcome.LEFT))
    answers = [(503, b"{}"), (200, wrong), (200, body), (0, b"no answer in time")]
    found = checked([planned, planned, other, other], answers, bench_world.capacity)
    assert (found.errors, found.unchecked, found.wrong) == (2, 1, 0)


def test_scans_that_were_planned_and_not_sent_are_no_errors(planned: PlannedScan, bench_world: BenchWorld) -> None:
    found = checked([planned], [], bench_world.capacity)
    assert (found.errors, found.wrong, found.unchecked) == (0, 0, 0)
