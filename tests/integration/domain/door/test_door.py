"""The door on both kinds of store: one batch, one transaction, and what is in the tables afterwards."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from domain.door.model import (
    Direction,
    Inferred,
    Outcome,
    PassReading,
    PassStatus,
    Problem,
    Reason,
    Rejected,
    Remedy,
    ScanAnswer,
)
from domain.door.reconcile import DisagreementKind, disagreements
from domain.door.tables import open_visits, scans, visits
from domain.gyms.tables import gyms, opening_exceptions, opening_hours
from domain.ids import new_id
from domain.memberships.tables import plan_gyms
from domain.outbox import outbox
from domain.unit_of_work import should_retry
from tests.world import START, World

ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO


def test_decisions_of_one_batch_see_each_other(world: World) -> None:
    gym = world.gym(capacity=2)
    members = world.members(3)
    results = world.ask(*(world.scan(gym, world.code(member), ENTER) for member in members))
    assert [result.outcome for result in results if isinstance(result, ScanAnswer)] == [
        Outcome.ENTERED,
        Outcome.ENTERED,
        Outcome.REFUSED,
    ]
    assert [result.occupancy for result in results if isinstance(result, ScanAnswer)] == [1, 2, 2]
    assert sorted(world.inside(gym), key=str) == sorted(members[:2], key=str)


def test_in_and_out_within_one_batch_leaves_nobody_inside(world: World) -> None:
    gym = world.gym()
    member = world.member()
    reading = world.code(member)
    results = world.ask(world.scan(gym, reading, ENTER), world.scan(gym, reading, LEAVE))
    assert [result.outcome for result in results if isinstance(result, ScanAnswer)] == [Outcome.ENTERED, Outcome.LEFT]
    assert world.inside(gym) == []
    with world.store.reading() as connection:
        visit = connection.execute(select(visits)).one()
        assert (visit.left_at, visit.inferred) == (START, None)
        assert disagreements(connection) == []


def test_a_code_admits_once_within_a_batch(world: World) -> None:
    first, second = world.gym(), world.gym()
    reading = world.code(world.member())
    results = world.ask(world.scan(first, reading, ENTER), world.scan(second, reading, ENTER))
    assert [(result.outcome, result.reason) for result in results if isinstance(result, ScanAnswer)] == [
        (Outcome.ENTERED, None),
        (Outcome.REFUSED, Reason.USED_PASS),
    ]
    assert world.inside(second) == []


def test_a_repeated_scan_id_gets_the_first_answer_though_its_code_is_stale(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    first = world.answer(request)
    world.clock.forward(3600)
    again = world.scan(
        gym, PassReading(PassStatus.STALE, request.reading.member_id, START), ENTER, scan_id=request.scan_id
    )
    answer = world.answer(again)
    assert answer.replayed
    assert (answer.outcome, answer.occupancy, answer.decided_at, answer.member) == (
        first.outcome,
        first.occupancy,
        first.decided_at,
        first.member,
    )
    (twin_one, twin_two) = world.ask(again, again)
    assert twin_one == twin_two == answer


def test_one_scan_id_with_two_codes_in_one_batch_is_the_first_of_them(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    world.answer(world.scan(gym, world.code(one), ENTER))
    world.clock.forward(20)
    leave = world.scan(gym, world.code(one), LEAVE)
    left, twin = world.ask(leave, world.scan(gym, world.code(two), LEAVE, scan_id=leave.scan_id))
    assert isinstance(left, ScanAnswer)
    assert left.member is not None
    assert left.member.id == one
    assert twin == replace(left, replayed=True)
    assert world.inside(gym) == []
    enter = world.scan(gym, world.code(two), ENTER)
    forged = world.scan(gym, PassReading(PassStatus.FORGED), ENTER, scan_id=enter.scan_id)
    entered, _ = world.ask(enter, forged)
    assert isinstance(entered, ScanAnswer)
    assert entered.outcome is Outcome.ENTERED
    assert world.inside(gym) == [two]


def test_a_scan_id_with_another_gate_or_direction_is_no_repeat(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    world.answer(request)
    for other in (
        world.scan(gym, request.reading, LEAVE, scan_id=request.scan_id),
        world.scan(gym, request.reading, ENTER, scan_id=request.scan_id, gate=new_id()),
    ):
        (result,) = world.ask(other)
        assert isinstance(result, Rejected)
        assert result.problem is Problem.SCAN_ID_REUSED


def test_the_same_scan_id_of_another_device_is_another_scan(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    first = world.answer(world.scan(gym, world.code(one), ENTER, scan_id="1"))
    second = world.answer(world.scan(gym, world.code(two), ENTER, scan_id="1", asked_by=new_id()))
    assert first.member != second.member
    assert not second.replayed


def test_a_repeated_answer_changes_nothing(world: World) -> None:
    gym = world.gym()
    member = world.member()
    first = world.answer(world.scan(gym, world.code(member)))
    world.clock.forward(14)
    held = world.answer(world.scan(gym, world.code(member)))
    assert (held.outcome, held.occupancy, held.replayed) == (Outcome.ENTERED, first.occupancy, True)
    assert len(world.inside(gym)) == 1
    world.clock.forward(2)
    assert world.answer(world.scan(gym, world.code(member, ago=16))).reason is Reason.USED_PASS
    assert world.answer(world.scan(gym, world.code(member))).outcome is Outcome.LEFT


def test_entering_another_gym_ends_the_visit_at_the_first(world: World) -> None:
    first, second = world.gym(), world.gym()
    member = world.member()
    world.answer(world.scan(first, world.code(member), ENTER))
    world.clock.forward(60)
    world.answer(world.scan(second, world.code(member), ENTER))
    assert (world.inside(first), world.inside(second)) == ([], [member])
    with world.store.reading() as connection:
        ended = connection.execute(select(visits).where(visits.c.gym_id == first)).one()
        assert ended.inferred == Inferred.ENTERED_ELSEWHERE
        assert disagreements(connection) == []


def test_a_full_gym_lets_in_again_when_somebody_left(world: World) -> None:
    gym = world.gym(capacity=1)
    one, two = world.members(2)
    world.answer(world.scan(gym, world.code(one), ENTER))
    world.clock.forward(60)
    assert world.answer(world.scan(gym, world.code(two), ENTER)).reason is Reason.GYM_FULL
    results = world.ask(world.scan(gym, world.code(one), LEAVE), world.scan(gym, world.code(two), ENTER))
    assert [result.outcome for result in results if isinstance(result, ScanAnswer)] == [Outcome.LEFT, Outcome.ENTERED]
    assert world.inside(gym) == [two]


def test_a_retired_or_closed_gym_refuses_entry_and_lets_out(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    world.answer(world.scan(gym, world.code(one), ENTER))
    with world.store.writing() as connection:
        connection.execute(
            opening_hours.insert().values(id=new_id(), gym_id=gym, weekday=0, opens_minute=0, closes_minute=60)
        )
    assert world.answer(world.scan(gym, world.code(two), ENTER)).reason is Reason.GYM_CLOSED
    world.change_gym(gym, retired_at=START)
    assert world.answer(world.scan(gym, world.code(two), ENTER)).reason is Reason.GYM_CLOSED
    assert world.answer(world.scan(gym, world.code(one), LEAVE)).outcome is Outcome.LEFT


def test_what_is_said_of_today_and_the_night_before_counts_at_the_door(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    today = {"id": new_id(), "gym_id": gym, "day": "2026-03-02", "note": "Works"}
    others = [
        {"id": new_id(), "gym_id": gym, "day": day, "opens_minute": 0, "closes_minute": 1, "note": ""}
        for day in ("2026-02-01", "2026-03-03", "2027-03-02")
    ]
    with world.store.writing() as connection:
        connection.execute(
            opening_hours.insert().values(id=new_id(), gym_id=gym, weekday=0, opens_minute=0, closes_minute=1440)
        )
        connection.execute(opening_exceptions.insert(), others)
    assert world.answer(world.scan(gym, world.code(one), ENTER)).outcome is Outcome.ENTERED
    with world.store.writing() as connection:
        connection.execute(opening_exceptions.insert().values(today))
    assert world.answer(world.scan(gym, world.code(two), ENTER)).reason is Reason.GYM_CLOSED
    night = {
        "id": new_id(),
        "gym_id": gym,
        "day": "2026-03-01",
        "opens_minute": 1200,
        "closes_minute": 2880,
        "note": "",
    }
    with world.store.writing() as connection:
        connection.execute(opening_exceptions.insert().values(night))
    assert world.answer(world.scan(gym, world.code(two), ENTER)).outcome is Outcome.ENTERED


def test_a_plan_of_listed_gyms_covers_those_alone(world: World) -> None:
    here, there = world.gym(), world.gym()
    member = world.member()
    with world.store.writing() as connection:
        connection.execute(text("UPDATE plans SET covers_all_gyms = 0"))
        connection.execute(plan_gyms.insert().values(plan_id=world.plan, gym_id=there))
    assert world.answer(world.scan(here, world.code(member), ENTER)).reason is Reason.WRONG_GYM
    assert world.answer(world.scan(there, world.code(member), ENTER)).outcome is Outcome.ENTERED


def test_a_membership_in_grace_asks_to_renew_and_a_frozen_one_is_refused(world: World) -> None:
    gym = world.gym()
    lapsed, frozen = world.member(days=-2), world.member()
    world.change_membership(frozen, frozen_from=START - timedelta(days=1))
    assert world.answer(world.scan(gym, world.code(lapsed), ENTER)).remedy is Remedy.RENEW
    assert world.answer(world.scan(gym, world.code(frozen), ENTER)).reason is Reason.MEMBERSHIP_FROZEN


def test_every_scan_is_kept_refused_ones_too(world: World) -> None:
    gym = world.gym()
    stranger = new_id()
    requests = [
        world.scan(gym, PassReading(PassStatus.FORGED), ENTER),
        world.scan(gym, PassReading(PassStatus.VALID, stranger, START), ENTER),
        world.scan(gym, PassReading(PassStatus.VALID, stranger, START), LEAVE),
        world.scan(gym, world.code(world.member()), ENTER, deadline_s=-0.001),
    ]
    results = world.ask(*requests)
    assert [result.reason for result in results if isinstance(result, ScanAnswer)] == [
        Reason.UNKNOWN_PASS,
        Reason.UNKNOWN_PASS,
        None,
        Reason.TOO_LATE,
    ]
    with world.store.reading() as connection:
        kept = connection.execute(select(scans).order_by(scans.c.id)).all()
        assert [row.scan_id for row in kept] == [request.scan_id for request in requests]
        assert [row.member_id for row in kept][:3] == [None, stranger, stranger]
        assert connection.execute(select(open_visits)).all() == []


def test_what_was_too_late_stays_refused(world: World) -> None:
    gym = world.gym()
    member = world.member()
    late = world.scan(gym, world.code(member), ENTER, deadline_s=-1)
    assert world.answer(late).reason is Reason.TOO_LATE
    again = world.answer(world.scan(gym, world.code(member), ENTER, scan_id=late.scan_id))
    assert (again.reason, again.remedy, again.replayed) == (Reason.TOO_LATE, Remedy.SCAN_AGAIN, True)
    assert world.answer(world.scan(gym, world.code(member), ENTER)).outcome is Outcome.ENTERED


def test_an_unknown_gym_is_rejected(world: World) -> None:
    gym = world.gym()
    nowhere = new_id()
    world.gates[nowhere] = new_id()
    results = world.ask(
        world.scan(nowhere, world.code(world.member()), ENTER),
        world.annulment(nowhere, "x"),
        world.scan(gym, world.code(world.member()), ENTER),
    )
    assert [type(result) for result in results] == [Rejected, Rejected, ScanAnswer]


def test_each_decision_is_published_in_order_with_its_change(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    world.ask(world.scan(gym, world.code(one), ENTER), world.scan(gym, world.code(two), ENTER))
    with suppress(RuntimeError), world.store.writing() as connection:
        connection.execute(outbox.insert().values(topic="t", key="k", payload="{}", created_at=START))
        raise RuntimeError("the change is not committed, so nothing is told of it")
    with world.store.reading() as connection:
        rows = connection.execute(select(outbox).order_by(outbox.c.id)).all()
    assert [row.key for row in rows] == [str(gym)] * 2
    assert [f'"member_id":"{member}"' in row.payload for member, row in zip((one, two), rows, strict=True)] == [
        True,
        True,
    ]


def test_a_race_for_one_scan_id_is_a_reason_to_decide_again(world: World) -> None:
    gym = world.gym()
    request = world.scan(gym, world.code(world.member()), ENTER)
    world.answer(request)
    with world.store.reading() as connection:
        row = connection.execute(select(scans)).mappings().one()
    with pytest.raises(DBAPIError) as raised, world.store.writing() as connection:
        connection.execute(scans.insert().values(**{**row, "id": new_id()}))
    assert should_retry(raised.value)


def test_reconcile_names_every_disagreement(world: World) -> None:
    gym = world.gym()
    one, two = world.members(2)
    world.answer(world.scan(gym, world.code(one), ENTER))
    world.answer(world.scan(gym, world.code(two), ENTER))
    with world.store.writing() as connection:
        assert disagreements(connection) == []
        connection.execute(open_visits.delete().where(open_visits.c.member_id == one))
        connection.execute(visits.update().where(visits.c.member_id == two).values(left_at=START))
        connection.execute(open_visits.insert().values(visit_id=new_id(), gym_id=gym, member_id=None, entered_at=START))
        assert {found.kind for found in disagreements(connection)} == {
            DisagreementKind.VISIT_NOT_OPEN,
            DisagreementKind.OPEN_BUT_ENDED,
            DisagreementKind.OPEN_WITHOUT_VISIT,
        }
        assert connection.execute(select(gyms.c.id)).scalar_one() == gym
