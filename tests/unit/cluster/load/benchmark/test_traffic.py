"""A wrong answer is found."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from cluster.load.benchmark.scan_plan import Planner
from cluster.load.benchmark.traffic import Checked, check
from cluster.load.generator import Answer, JobResult
from cluster.load.oracle import AnswerLog
from cluster.load.passes import Pass
from cluster.load.scans import Scan
from cluster.load.world import World
from domain.door.model import Outcome, Reason, Remedy, ScanAnswer, ShownMember
from domain.ids import new_id
from tests.unit.cluster.load.conftest import NOW

SENT = 1.0


@pytest.fixture
def planned(world: World) -> Scan:
    return Planner(world, 1, 0.0).entries(1, NOW, timedelta(seconds=10))[0][0]


def right_answer(planned: Scan) -> ScanAnswer:
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
        capacity=planned.gate.capacity,
        decided_at=NOW + timedelta(seconds=SENT + 0.005),
        replayed=False,
    )


def checked(scans: list[Scan], answers: list[tuple[int, bytes]], log: AnswerLog | None = None) -> Checked:
    lane = [Answer(SENT, 0.01, status, body) for status, body in answers]
    return check([scans], JobResult(NOW.timestamp(), 10, 0, [lane], ran_out=False), log or AnswerLog())


def test_the_right_answer_is_right(planned: Scan) -> None:
    body = msgspec.json.encode(right_answer(planned))
    found = checked([planned], [(200, body)])
    assert (found.wrong, found.errors, len(found.given)) == (0, 0, 1)


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
def test_whatever_differs_is_wrong(planned: Scan, change: dict[str, Any]) -> None:
    body = msgspec.json.encode(replace(right_answer(planned), **change))
    found = checked([planned], [(200, body)], log := AnswerLog())
    assert (found.wrong, found.errors, log.wrong, len(log.examples)) == (1, 0, 1, 1)


def test_what_is_no_answer_is_wrong(planned: Scan) -> None:
    assert checked([planned], [(200, b"{}")]).wrong == 1


def test_an_error_leaves_later_answers_about_the_member_unchecked(
    planned: Scan,
) -> None:
    other = replace(planned, shown=Pass(new_id(), NOW))
    body = msgspec.json.encode(right_answer(planned))
    wrong = msgspec.json.encode(replace(right_answer(planned), outcome=Outcome.LEFT))
    answers = [(503, b"{}"), (200, wrong), (200, body), (0, b"no answer in time")]
    found = checked([planned, planned, other, other], answers)
    assert (found.errors, found.unchecked, found.wrong) == (2, 1, 0)


def test_scans_that_were_planned_and_not_sent_are_no_errors(planned: Scan) -> None:
    found = checked([planned], [])
    assert (found.errors, found.wrong, found.unchecked) == (0, 0, 0)
