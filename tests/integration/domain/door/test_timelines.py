"""Visits after scans, uploads, annulments and rules that meet on one member's timeline, on both kinds of store.

Each is a short history of its own; `test_histories.py` plays thousands at random.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from domain.door.list_repository import ListRepository
from domain.door.machine_model import MachineAction
from domain.door.model import (
    Conflict,
    Direction,
    Inferred,
    OfflineScan,
    Outcome,
    Problem,
    Reason,
    Rejected,
    ScanRequest,
)
from domain.door.reconcile import disagreements
from domain.door.tables import open_machine_uses, visits
from domain.identity.personal_data_service import begin_deleting, finish_deleting
from domain.paging import PageRequest
from tests.integration.domain.door.timeline_steps import annul, entered, kept, uploaded
from tests.world import World

ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO


def left(world: World, gym: UUID, member: UUID) -> ScanRequest:
    request = world.scan(gym, world.code(member), LEAVE)
    assert world.answer(request).outcome is Outcome.LEFT
    return request


def listed(world: World, gym: UUID) -> dict[str, Conflict]:
    """What staff of a gym see, by scan id."""
    with world.store.reading() as connection:
        found = ListRepository(connection).conflicts(gym, PageRequest(50, None), settled=False)
        return {one.scan_id: one.kind for one in found.items}


def ago(world: World, seconds: float) -> datetime:
    return world.clock.now - timedelta(seconds=seconds)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_exit_may_be_annulled_after_an_uploaded_entry(world: World, *, elsewhere: bool) -> None:
    gym, member = world.gym(), world.member()
    other = world.gym() if elsewhere else gym
    entered(world, gym, member)
    world.clock.forward(600)
    exit_scan = left(world, gym, member)
    world.clock.forward(600)
    assert uploaded(world, world.offline(other, world.code(member, 100), ENTER, 100)) is None
    annul(world, exit_scan)
    why = Inferred.ENTERED_ELSEWHERE if elsewhere else Inferred.ENTERED_AGAIN
    assert kept(world, member) == [
        (gym, ago(world, 1200), ago(world, 100), why),
        (other, ago(world, 100), None, None),
    ]
    assert world.inside(other) == [member]
    assert list(listed(world, other).values()) == ([] if elsewhere else [Conflict.ALREADY_INSIDE])


def test_an_entry_that_had_ended_another_visit_may_be_annulled_after_an_uploaded_entry(world: World) -> None:
    first, second, third = world.gym(), world.gym(), world.gym()
    member = world.member()
    entered(world, first, member)
    world.clock.forward(600)
    mistaken = entered(world, second, member)
    world.clock.forward(600)
    uploaded(world, world.offline(third, world.code(member, 100), ENTER, 100))
    annul(world, mistaken)
    assert kept(world, member) == [
        (first, ago(world, 1200), ago(world, 100), Inferred.ENTERED_ELSEWHERE),
        (third, ago(world, 100), None, None),
    ]


@pytest.mark.parametrize("ended_by", ["head count", "upload"])
def test_an_entry_is_not_repeated_once_its_visit_has_ended(world: World, ended_by: str) -> None:
    gym, member = world.gym(), world.member()
    first = entered(world, gym, member)
    world.clock.forward(10)
    if ended_by == "head count":
        world.ask(world.count(gym, 0))
    else:
        uploaded(world, world.offline(gym, world.code(member), LEAVE, 6))
    world.clock.forward(1)
    assert world.answer(world.scan(gym, first.reading, ENTER)).reason is Reason.USED_PASS
    world.clock.forward(3)
    fresh = world.scan(gym, world.code(member, -15), ENTER)
    answer = world.answer(fresh)
    assert (answer.outcome, answer.replayed, world.inside(gym)) == (Outcome.ENTERED, False, [member])
    annul(world, first)
    assert [visit[1:3] for visit in kept(world, member)] == [(world.clock.now, None)]
    annul(world, fresh)
    assert (kept(world, member), world.inside(gym)) == ([], [])


def test_an_exit_is_not_repeated_after_the_member_has_come_back(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(60)
    left(world, gym, member)
    world.clock.forward(6)
    uploaded(world, world.offline(gym, world.code(member), ENTER, 3))
    world.clock.forward(2)
    answer = world.answer(world.scan(gym, world.code(member), LEAVE))
    assert (answer.outcome, answer.replayed, world.inside(gym)) == (Outcome.LEFT, False, [])
    assert kept(world, member)[-1] == (gym, ago(world, 5), world.clock.now, None)


def test_a_visit_cannot_be_kept_that_ends_before_it_began(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    with pytest.raises(DBAPIError, match="left_after_entered"), world.store.writing() as connection:
        connection.execute(update(visits).values(left_at=ago(world, 1)))
    world.clock.forward(1)
    left(world, gym, member)
    assert kept(world, member) == [(gym, ago(world, 1), world.clock.now, None)]


def test_a_visit_stands_with_the_codes_of_all_scans_that_it_answered_and_stand(world: World) -> None:
    gym, member = world.gym(), world.member()
    first = entered(world, gym, member)
    world.clock.forward(15)
    again = world.scan(gym, world.code(member), ENTER)
    assert world.answer(again).replayed
    assert first.reading != again.reading
    annul(world, first)
    assert kept(world, member) == [(gym, world.clock.now, None, None)], "it stands by the second scan"
    world.clock.forward(4)
    left(world, gym, member)
    world.clock.forward(16)
    other_gate = world.scan(gym, again.reading, ENTER)
    assert world.answer(other_gate).reason is Reason.USED_PASS, "the code of a scan that stands"
    assert world.answer(world.scan(gym, first.reading, ENTER)).outcome is Outcome.ENTERED, "it was given back"


def test_a_repeated_answer_s_code_is_used_up_however_late(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(15)
    again = world.scan(gym, world.code(member))
    assert world.answer(again).replayed
    world.clock.forward(3600)
    stale = world.scan(gym, world.code(member, 3600))
    assert stale.reading.issued_at == again.reading.issued_at
    assert world.answer(stale).reason is Reason.USED_PASS, "under `auto` a code never yields the opposite"
    annul(world, again)
    assert world.answer(replace(stale, scan_id="after")).outcome is Outcome.LEFT


def test_a_code_whose_scan_repeated_an_exit_lets_nobody_in(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(60)
    left(world, gym, member)
    world.clock.forward(15)
    again = world.scan(gym, world.code(member))
    assert world.answer(again).replayed
    world.clock.forward(1)
    assert world.answer(replace(again, scan_id="later")).reason is Reason.USED_PASS


def test_an_answer_given_again_takes_no_code_from_an_upload_that_it_had_let_in(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.clock.forward(2)
    shown = world.code(member)
    uploaded(world, world.offline(gym, shown, ENTER, 1))
    world.clock.forward(14)
    left(world, gym, member)
    world.clock.forward(1)
    first = world.scan(gym, world.code(member, 30), ENTER)
    assert world.answer(first).outcome is Outcome.ENTERED
    again = world.scan(gym, shown, ENTER)
    assert world.answer(again).replayed
    before = kept(world, member)
    assert [visit[1:3] for visit in before] == [(ago(world, 16), ago(world, 1)), (world.clock.now, None)]
    assert uploaded(world, world.offline(gym, shown, ENTER, 0)) is Conflict.LATER_SCAN
    assert kept(world, member) == before
    annul(world, first)
    assert [visit[1:3] for visit in kept(world, member)] == [visit[1:3] for visit in before]


def test_annulling_a_repeated_answer_alone_leaves_the_visit_as_it_was(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(15)
    again = world.scan(gym, world.code(member), ENTER)
    assert world.answer(again).replayed
    annul(world, again)
    assert kept(world, member) == [(gym, ago(world, 15), None, None)]


def test_a_scan_id_that_was_annulled_unseen_and_is_uploaded_is_listed(world: World) -> None:
    gym, member = world.gym(), world.member()
    request = world.scan(gym, world.code(member), ENTER)
    annul(world, request)
    world.clock.forward(60)
    upload = OfflineScan(replace(request, scanned_at=ago(world, 60), arrived_at=world.clock.now))
    for _ in range(2):
        assert uploaded(world, upload) is Conflict.ANNULLED
        assert listed(world, gym) == {request.scan_id: Conflict.ANNULLED}
    with world.store.reading() as connection:
        (shown,) = ListRepository(connection).conflicts(gym, PageRequest(50, None), settled=False).items
    assert (shown.member_id, shown.gate_id, shown.outcome, shown.annulled) == (
        member,
        request.gate_id,
        Outcome.ENTERED,
        True,
    )
    assert (kept(world, member), world.inside(gym)) == ([], [])


@pytest.mark.parametrize("offline", [False, True])
def test_a_scan_that_was_annulled_and_is_uploaded_is_listed_and_makes_no_visit(world: World, *, offline: bool) -> None:
    gym, member = world.gym(), world.member()
    request = world.scan(gym, world.code(member), ENTER)
    upload = OfflineScan(replace(request, scanned_at=world.clock.now))
    world.ask(upload if offline else request)
    world.clock.forward(5)
    annul(world, request)
    assert listed(world, gym) == {}
    world.clock.forward(60)
    assert uploaded(world, upload) is Conflict.ANNULLED
    assert listed(world, gym) == {request.scan_id: Conflict.ANNULLED}
    entered(world, gym, member)
    assert listed(world, gym) == {request.scan_id: Conflict.ANNULLED}, "it stays listed until staff settle it"
    assert kept(world, member) == [(gym, world.clock.now, None, None)]


@pytest.mark.parametrize(("decided", "did"), [("left", ENTER), ("entered", LEAVE)])
def test_a_device_that_did_otherwise_than_was_decided_is_listed(world: World, decided: str, did: Direction) -> None:
    gym, member = world.gym(), world.member()
    if decided == "left":
        entered(world, gym, member)
        world.clock.forward(60)
    request = world.scan(gym, world.code(member), AUTO)
    assert world.answer(request).outcome == decided
    upload = OfflineScan(replace(request, direction=did, scanned_at=world.clock.now))
    assert uploaded(world, upload) is Conflict.DECIDED_OTHERWISE
    assert listed(world, gym) == {request.scan_id: Conflict.DECIDED_OTHERWISE}
    assert world.inside(gym) == ([] if decided == "left" else [member]), "what was decided stays"
    annul(world, request)
    assert listed(world, gym) == {}


def test_an_upload_under_the_id_of_another_member_s_scan_is_a_conflict(world: World) -> None:
    gym, (member, other) = world.gym(), world.members(2)
    request = entered(world, gym, member)
    (answer,) = world.ask(OfflineScan(replace(request, reading=world.code(other), scanned_at=world.clock.now)))
    assert isinstance(answer, Rejected)
    assert answer.problem is Problem.SCAN_ID_REUSED


def test_a_head_count_that_an_upload_told_better_counts_again_once_the_upload_is_annulled(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(3600)
    world.ask(world.count(gym, 0))
    counted_at = world.clock.now
    world.clock.forward(60)
    went = world.offline(gym, world.code(member, 600), LEAVE, 600)
    uploaded(world, went)
    assert kept(world, member)[0][2:] == (ago(world, 600), None)
    annul(world, went)
    assert kept(world, member)[0][2:] == (counted_at, Inferred.HEAD_COUNT)
    assert world.inside(gym) == []


def test_an_annulled_exit_lets_an_upload_count_that_came_too_late_for_it(world: World) -> None:
    gym, member = world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(3600)
    mistaken = left(world, gym, member)
    world.clock.forward(60)
    went = world.offline(gym, world.code(member, 2400), LEAVE, 2400)
    assert uploaded(world, went) is Conflict.LATER_SCAN
    world.clock.forward(60)
    entered(world, gym, member)
    annul(world, mistaken)
    assert listed(world, gym) == {}
    assert kept(world, member)[0][1:3] == (ago(world, 3720), ago(world, 2460))
    assert kept(world, member)[1][1:3] == (world.clock.now, None)


def test_an_annulled_upload_gives_the_machine_back(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    entered(world, gym, member)
    world.ask(world.wish(MachineAction.USE, machine, member, gym))
    world.clock.forward(600)
    went = world.offline(gym, world.code(member, 60), LEAVE, 60)
    uploaded(world, went)
    annul(world, went)
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        assert connection.execute(select(open_machine_uses.c.machine_id)).scalars().all() == [machine]
    assert len(kept(world, member)) == 1


def test_an_upload_of_a_forgotten_account_may_be_annulled(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.clock.forward(600)
    came = world.offline(gym, world.code(member, 300), ENTER, 300)
    went = world.offline(gym, world.code(member, 60), LEAVE, 60)
    for upload in (came, went):
        uploaded(world, upload)
    with world.store.writing() as connection:
        begin_deleting(connection, member, member, world.clock.now)
        finish_deleting(connection, member, world.clock.now)
    annul(world, came)
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        assert connection.execute(select(visits.c.annulled_at)).scalar_one() is not None
