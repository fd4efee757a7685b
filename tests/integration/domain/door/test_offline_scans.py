"""Scans that a device made without the server are recorded, whatever they say and in whatever order they come.

On both kinds of store.
"""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from domain.door.machine_model import MachineAction
from domain.door.model import (
    Conflict,
    Direction,
    Inferred,
    OfflineAnswer,
    OfflineScan,
    PassReading,
    PassStatus,
    Problem,
    Rejected,
    ScanAnswer,
)
from domain.door.reconcile import disagreements
from domain.door.tables import open_machine_uses, scan_conflicts, scans, visits
from tests.world import World

ENTER, LEAVE, AUTO = Direction.ENTER, Direction.LEAVE, Direction.AUTO
HOUR = 3600


def uploaded(world: World, *requests: OfflineScan) -> list[OfflineAnswer]:
    answers = []
    for answer in world.ask(*requests):
        assert isinstance(answer, OfflineAnswer), answer
        answers.append(answer)
    return answers


def conflicts(world: World) -> list[str]:
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        return sorted(connection.execute(select(scan_conflicts.c.kind)).scalars())


def kept(world: World, member: UUID) -> list[tuple[UUID, datetime, datetime | None, str | None]]:
    with world.store.reading() as connection:
        rows = connection.execute(
            select(visits)
            .where(visits.c.member_id == member, visits.c.annulled_at.is_(None))
            .order_by(visits.c.entered_at)
        )
        return [(row.gym_id, row.entered_at, row.left_at, row.inferred) for row in rows]


def ago(world: World, seconds: float) -> datetime:
    return world.clock.now - timedelta(seconds=seconds)


def test_an_upload_makes_the_visits_that_were(world: World) -> None:
    gym, member = world.gym(capacity=0), world.member()
    came = world.offline(gym, world.code(member, HOUR), ENTER, HOUR)
    went = world.offline(gym, world.code(member, HOUR / 2), LEAVE, HOUR / 2)
    again = world.offline(gym, world.code(member, 600), ENTER, 600)
    answers = uploaded(world, came, went, again)
    assert [answer.conflict for answer in answers] == [None] * 3
    assert [answer.occupancy for answer in answers] == [1, 0, 1]  # a full gym is no reason to deny what was
    assert kept(world, member) == [
        (gym, ago(world, HOUR), ago(world, HOUR / 2), None),
        (gym, ago(world, 600), None, None),
    ]
    assert world.inside(gym) == [member]
    assert conflicts(world) == []


def test_any_order_and_repetition_of_the_same_uploads_ends_in_the_same_state(world: World) -> None:
    here, there = world.gym(), world.gym()
    for round_ in range(4):
        member = world.member()
        if round_ % 2:
            world.answer(world.scan(here, world.code(member), ENTER))
        world.clock.forward(2 * HOUR)
        made = [
            world.offline(gym, world.code(member, back), direction, back)
            for gym, direction, back in [
                (here, LEAVE, 6000),
                (here, ENTER, 5000),
                (here, ENTER, 4000),
                (there, ENTER, 3000),
                (here, LEAVE, 2500),
                (there, LEAVE, 2000),
                (there, ENTER, 1000),
            ]
        ]
        copied = replace(made[3].scan.reading)
        made.append(world.offline(here, copied, ENTER, 990))
        chance = random.Random(round_)  # noqa: S311 - no secret
        states = []
        for _ in range(2):
            order = made + chance.choices(made, k=4)
            chance.shuffle(order)
            for request in order:
                uploaded(world, request)
            states.append((kept(world, member), conflicts(world), world.inside(there), world.inside(here)))
            uploaded(world, *order)
            assert states[-1] == (kept(world, member), conflicts(world), world.inside(there), world.inside(here))
        expected = [(there, ago(world, 3000), ago(world, 2000), None), (there, ago(world, 1000), None, None)]
        assert states[0][0][-2:] == expected
        assert states[0] == states[1]


def test_the_order_does_not_matter_member_by_member(world: World) -> None:
    gym = world.gym()
    states = []
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]):
        member = world.member()
        made = [
            world.offline(gym, world.code(member, back), direction, back)
            for direction, back in [(LEAVE, 4000), (ENTER, 3000), (ENTER, 2000), (LEAVE, 1000)]
        ]
        before = conflicts(world)
        for index in order:
            uploaded(world, made[index])
        now = conflicts(world)
        for one in before:
            now.remove(one)
        states.append((kept(world, member), now))
    assert all(state == states[0] for state in states)
    assert states[0][1] == [Conflict.ALREADY_INSIDE, Conflict.NOT_INSIDE]


def test_an_exit_ends_the_visit_that_was_begun_at_the_gate_and_frees_the_machine(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.ask(world.wish(MachineAction.USE, machine, member, gym))
    world.clock.forward(HOUR)
    (answer,) = uploaded(world, world.offline(gym, world.code(member, 600), LEAVE, 600))
    assert (answer.conflict, answer.occupancy, world.inside(gym)) == (None, 0, [])
    assert kept(world, member)[0][2] == ago(world, 600)
    with world.store.reading() as connection:
        assert connection.execute(select(open_machine_uses)).all() == []


def test_what_was_decided_at_a_gate_later_stays(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.clock.forward(HOUR)
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(60)
    (answer,) = uploaded(world, world.offline(gym, world.code(member, 600), LEAVE, 600))
    assert answer.conflict is Conflict.LATER_SCAN
    assert world.inside(gym) == [member]
    assert conflicts(world) == ["later_scan"]


def test_an_upload_corrects_an_exit_that_a_rule_inferred(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(HOUR)
    world.ask(world.count(gym, 0))
    assert kept(world, member)[0][3] == Inferred.HEAD_COUNT
    uploaded(world, world.offline(gym, world.code(member, 600), LEAVE, 600))
    assert kept(world, member) == [(gym, kept(world, member)[0][1], ago(world, 600), None)]
    assert conflicts(world) == []


@pytest.mark.parametrize(
    ("reading", "conflict"),
    [
        (PassReading(PassStatus.FORGED), Conflict.UNKNOWN_PASS),
        (PassReading(PassStatus.STALE, UUID(int=7), datetime.fromisoformat("2026-03-02T11:00:00Z")), "unknown_member"),
    ],
)
def test_a_pass_that_names_nobody_is_recorded_all_the_same(
    world: World, reading: PassReading, conflict: Conflict
) -> None:
    gym = world.gym()
    (answer,) = uploaded(world, world.offline(gym, reading, ENTER, 600))
    assert (answer.conflict, conflicts(world)) == (conflict, [conflict])
    with world.store.reading() as connection:
        row = connection.execute(select(scans)).one()
        assert (row.offline, row.outcome, row.member_id) == (True, "entered", None)


def test_who_would_have_been_refused_is_listed(world: World) -> None:
    gym, member, banned = world.gym(), world.member(days=0), world.member()
    world.change_membership(banned, ends_at=world.clock.now - timedelta(days=90))
    world.clock.forward(30 * 24 * HOUR)
    answers = uploaded(world, world.offline(gym, world.code(member, 600), ENTER, 600))
    answers += uploaded(world, world.offline(gym, world.code(banned, 600), ENTER, 600))
    assert [answer.conflict for answer in answers] == [Conflict.NO_MEMBERSHIP] * 2
    assert sorted(map(str, world.inside(gym))) == sorted([str(member), str(banned)])  # they are inside


def test_a_repeated_upload_changes_nothing_and_a_reused_id_is_reported(world: World) -> None:
    gym, member = world.gym(), world.member()
    made = world.offline(gym, world.code(member, 600), ENTER, 600, scan_id="one")
    (first,) = uploaded(world, made)
    world.clock.forward(60)
    (again,) = uploaded(world, made)
    assert again == replace(first, replayed=True)
    (reused,) = world.ask(world.offline(gym, world.code(member, 500), LEAVE, 500, scan_id="one"))
    assert isinstance(reused, Rejected)
    assert reused.problem is Problem.SCAN_ID_REUSED


def test_a_scan_decided_at_the_gate_whose_answer_was_lost_is_known(world: World) -> None:
    gym, member = world.gym(), world.member()
    scan = world.scan(gym, world.code(member), ENTER)
    world.answer(scan)
    world.clock.forward(HOUR)
    (answer,) = uploaded(world, OfflineScan(scan))
    assert (answer.replayed, answer.conflict, world.inside(gym)) == (True, None, [member])


def test_what_the_server_denied_and_the_device_did_all_the_same_is_what_was(world: World) -> None:
    gym, member = world.gym(), world.member()
    unheard = world.scan(gym, world.code(member), AUTO, scan_id="one", deadline_s=-1)
    assert world.answer(unheard).reason == "too_late"
    made = OfflineScan(replace(unheard, direction=ENTER, scanned_at=world.clock.now))
    world.clock.forward(600)
    (first,) = uploaded(world, made)
    (again,) = uploaded(world, made)
    assert (first.conflict, first.replayed, again) == (None, False, replace(first, replayed=True))
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        row = connection.execute(select(scans)).one()
        assert (row.outcome, row.reason, row.direction, row.offline) == ("entered", None, "enter", True)
    assert conflicts(world) == []


def test_what_a_gate_let_in_by_itself_is_known_by_the_way_it_went(world: World) -> None:
    gym, member = world.gym(), world.member()
    scan = world.scan(gym, world.code(member), AUTO)
    world.answer(scan)
    (answer,) = uploaded(world, OfflineScan(replace(scan, direction=ENTER)))
    assert (answer.replayed, world.inside(gym)) == (True, [member])


def test_an_annulled_upload_is_as_if_it_had_not_been(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(HOUR)
    went = world.offline(gym, world.code(member, 1200), LEAVE, 1200)
    came = world.offline(gym, world.code(member, 600), ENTER, 600)
    uploaded(world, went, came)
    begun = kept(world, member)
    assert [visit[2] for visit in begun] == [ago(world, 1200), None]
    world.ask(world.annulment(gym, came.scan.scan_id))
    assert (world.inside(gym), kept(world, member)) == ([], begun[:1])
    world.ask(world.annulment(gym, went.scan.scan_id))
    assert world.inside(gym) == [member]
    assert kept(world, member) == [(gym, begun[0][1], None, None)]
    assert conflicts(world) == []


def test_annulling_the_later_scan_lets_the_upload_count(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.answer(world.scan(gym, world.code(member), ENTER))
    world.clock.forward(2 * HOUR)
    mistaken = world.scan(gym, world.code(member), LEAVE)
    world.answer(mistaken)
    world.clock.forward(60)
    uploaded(world, world.offline(gym, world.code(member, 1200), LEAVE, 1200))
    assert conflicts(world) == ["later_scan"]
    world.ask(world.annulment(gym, mistaken.scan_id))
    assert (conflicts(world), world.inside(gym)) == ([], [])
    assert kept(world, member)[0][2] == ago(world, 1200)


def test_the_answer_to_an_upload_is_not_repeated(world: World) -> None:
    gym, member = world.gym(), world.member()
    world.clock.forward(HOUR)
    uploaded(world, world.offline(gym, world.code(member, 600), ENTER, 600))
    uploaded(world, world.offline(gym, world.code(member, 300), LEAVE, 300))
    answer = world.answer(world.scan(gym, world.code(member), AUTO))
    assert isinstance(answer, ScanAnswer)
    assert (answer.outcome, answer.replayed) == ("entered", False)


def test_a_code_that_is_uploaded_in_a_loop_makes_no_replay_longer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.door.history_repository.MAX_UPLOADS", 5)
    gym, looped, other = world.gym(), *world.members(2)
    code = world.code(looped, 600)
    loop = [world.offline(gym, code, ENTER, 600) for _ in range(8)]
    said = [answer.conflict is Conflict.TOO_MANY for answer in uploaded(world, *loop)]
    assert said == [False] * 5 + [True] * 3
    assert uploaded(world, world.offline(gym, world.code(other, 600), ENTER, 600))[0].conflict is None
    assert conflicts(world) == ["too_many"] * 3 + ["used_pass"] * 4
    assert [visit[0] for visit in kept(world, looped)] == [gym]
    assert uploaded(world, loop[-1])[0].replayed


def test_an_upload_from_before_too_many_scans_at_gates_replays_none_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.door.history_repository.MAX_SCANS", 5)
    gym, member = world.gym(), world.member()
    for _ in range(5):
        world.answer(world.scan(gym, world.code(member), LEAVE))
    world.clock.forward(60)
    (early,) = uploaded(world, world.offline(gym, world.code(member, 90), ENTER, 90))
    assert early.conflict is Conflict.TOO_MANY
    world.clock.forward(HOUR)
    assert uploaded(world, world.offline(gym, world.code(member, 60), ENTER, 60))[0].conflict is None
