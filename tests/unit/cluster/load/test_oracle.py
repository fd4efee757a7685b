"""The right answers, and how a wrong one is found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cluster.load import oracle
from cluster.load.oracle import AnswerLog, Decision, Expected, faults, read_answer
from cluster.load.passes import Pass
from cluster.load.world import Gate, Member, MemberKind
from domain.door.model import Outcome, Reason, Remedy, ScanAnswer, ShownMember
from domain.door.rules import REMEDIES
from domain.ids import new_id
from domain.passes import GOOD_AFTER

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MEMBER = Member(new_id(), "Mia", MemberKind.ADMITTED)
SHOWN = Pass(MEMBER.id, NOW)
GATE = Gate(new_id(), "Gate 1", new_id(), 5, ())
SOON, EXPIRED = NOW + timedelta(seconds=1), NOW + GOOD_AFTER + timedelta(seconds=1)


def answer(outcome: Outcome, reason: Reason | None = None, occupancy: int = 1) -> ScanAnswer:
    remedy = oracle.REMEDIES[reason] if reason else None
    shown = ShownMember(MEMBER.id, MEMBER.name, None)
    return ScanAnswer("1", outcome, reason, remedy, shown, GATE.gym_id, occupancy, 5, SOON, replayed=False)


def refusal(reason: Reason) -> Decision:
    return Outcome.REFUSED, reason


@pytest.mark.parametrize(
    ("expected", "before", "after"),
    [
        (oracle.entry(MEMBER, SHOWN, may_be_full=False), {oracle.ENTERED}, {oracle.ENTERED, oracle.EXPIRED}),
        (
            oracle.entry(MEMBER, SHOWN, may_be_full=True),
            {oracle.ENTERED, oracle.FULL},
            {oracle.ENTERED, oracle.FULL, oracle.EXPIRED},
        ),
        (
            oracle.entry(replace(MEMBER, kind=MemberKind.BANNED), SHOWN, may_be_full=True),
            {refusal(Reason.BANNED)},
            {refusal(Reason.BANNED), oracle.EXPIRED},
        ),
        (oracle.exit_(MEMBER), {oracle.LEFT}, {oracle.LEFT}),
        (oracle.copied(MEMBER, SHOWN, SOON), {oracle.USED}, {oracle.USED, oracle.EXPIRED}),
        (oracle.copied(MEMBER, SHOWN, EXPIRED), {oracle.EXPIRED}, {oracle.EXPIRED}),
        (
            oracle.passed_back(MEMBER, SHOWN),
            {oracle.ALREADY_INSIDE},
            {oracle.ALREADY_INSIDE, oracle.EXPIRED},
        ),
        (
            oracle.held_up(MEMBER, NOW),
            {oracle.ENTERED},
            {oracle.ENTERED, oracle.ALREADY_INSIDE, oracle.USED, oracle.EXPIRED},
        ),
    ],
)
def test_what_is_right_depends_on_when_it_is_answered(
    expected: Expected, before: set[Decision], after: set[Decision]
) -> None:
    assert expected.at(SOON).decisions == before
    assert expected.at(EXPIRED).decisions == after


@pytest.mark.parametrize("kind", list(oracle.REFUSED_KINDS))
def test_each_kind_of_member_has_its_refusal(kind: MemberKind) -> None:
    [(outcome, reason)] = oracle.entry(replace(MEMBER, kind=kind), SHOWN, may_be_full=False).decisions
    assert (outcome, reason) == (Outcome.REFUSED, oracle.REFUSED_KINDS[kind])


def test_the_remedies_are_those_of_the_door() -> None:
    assert {reason: oracle.REMEDIES.get(reason) for reason in REMEDIES} | oracle.REMEDIES == {
        **{reason: remedy for reason, remedy in REMEDIES.items() if reason in oracle.REMEDIES},
        Reason.GYM_CLOSED: None,
        Reason.NO_MEMBERSHIP: Remedy.BUY_MEMBERSHIP,
        Reason.MEMBERSHIP_ENDED: Remedy.RENEW,
    }


def test_a_replayed_answer_is_right_for_a_repeated_scan_only() -> None:
    expected, replayed = oracle.entry(MEMBER, SHOWN, may_be_full=False), replace(answer(Outcome.ENTERED), replayed=True)
    assert list(faults(expected, replayed, "1", GATE)) == ["replayed is True"]
    assert list(faults(expected, replayed, "1", GATE, repeated=True)) == []
    assert list(faults(oracle.held_up(MEMBER, NOW), replayed, "1", GATE)) == []
    assert list(faults(oracle.held_up(MEMBER, NOW), answer(Outcome.ENTERED), "1", GATE)) == ["replayed is False"]


def test_a_gym_is_full_only_with_as_many_inside_as_its_capacity() -> None:
    expected = oracle.entry(MEMBER, SHOWN, may_be_full=True)
    assert list(faults(expected, answer(Outcome.REFUSED, Reason.GYM_FULL, 5), "1", GATE)) == []
    found = list(faults(expected, answer(Outcome.REFUSED, Reason.GYM_FULL, 4), "1", GATE))
    assert found == ["full with 4 of 5 inside"]


def test_a_fault_says_what_would_be_right() -> None:
    expected = oracle.entry(MEMBER, SHOWN, may_be_full=True)
    [found] = faults(expected, answer(Outcome.REFUSED, Reason.USED_PASS), "1", GATE)
    assert found == "refused: used_pass, not entered or refused: gym_full"


def test_what_cannot_be_read_is_described() -> None:
    assert isinstance(read_answer(b"{}"), str)


def test_the_log_knows_who_is_inside_and_which_pass_admitted_twice() -> None:
    log, device = AnswerLog(), new_id()
    log.add(device, SHOWN, answer(Outcome.ENTERED))
    assert log.inside == {MEMBER.id: GATE.gym_id}
    log.add(device, SHOWN, answer(Outcome.ENTERED), is_held_up=True)
    assert log.admitted_twice == 0
    log.add(device, SHOWN, answer(Outcome.REFUSED, Reason.USED_PASS))
    log.add(device, SHOWN, answer(Outcome.LEFT))
    assert log.inside == {}
    log.add(device, SHOWN, answer(Outcome.ENTERED))
    assert (log.admitted_twice, len(log.answers)) == (1, 5)


def test_few_examples_are_kept_of_many_faults() -> None:
    log = AnswerLog()
    for number in range(20):
        log.add_fault(f"fault {number}")
    assert (log.wrong, log.examples) == (20, [f"fault {number}" for number in range(5)])
