"""Edges of what a correction reads, and clocks of servers that disagree, on both kinds of store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.door.model import (
    Direction,
    HeadCountAnswer,
    Inferred,
    OfflineScan,
    Outcome,
)
from tests.integration.domain.door.timeline_steps import annul, entered, kept, uploaded
from tests.world import World

ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


def test_a_correction_leaves_alone_a_visit_that_had_ended_before_the_rule_that_also_ended_it(world: World) -> None:
    gym, member = world.gym(), world.member()
    began = world.clock.now
    entered(world, gym, member)
    world.clock.forward(3600)
    world.ask(world.count(gym, 0))
    world.clock.forward(60)
    assert uploaded(world, world.offline(gym, world.code(member, 2460), LEAVE, 2460)) is None
    before = kept(world, member)
    assert before == [(gym, began, began + timedelta(seconds=1200), None)]
    world.clock.forward(240)
    mistaken = entered(world, gym, member)
    world.clock.forward(60)
    annul(world, mistaken)
    assert kept(world, member) == before


def test_of_two_visits_before_a_correction_the_one_goes_on_that_had_not_ended(world: World) -> None:
    gym, other, member = world.gym(), world.gym(), world.member()
    entered(world, gym, member)
    world.clock.forward(3600)
    world.ask(world.count(gym, 0))
    world.clock.forward(60)
    uploaded(world, world.offline(gym, world.code(member, 2460), LEAVE, 2460))
    uploaded(world, world.offline(other, world.code(member, 1860), ENTER, 1860))
    world.clock.forward(240)
    before = kept(world, member)
    assert world.inside(other) == [member]
    mistaken = entered(world, gym, member)
    world.clock.forward(60)
    annul(world, mistaken)
    assert kept(world, member) == before
    assert world.inside(other) == [member]


def test_an_exit_is_accepted_by_a_server_whose_clock_is_behind_that_of_the_entry(world: World) -> None:
    gym, member = world.gym(), world.member()
    came = world.clock.now
    entered(world, gym, member)
    world.clock.forward(-2)
    answer = world.answer(world.scan(gym, world.code(member), LEAVE))
    assert (answer.outcome, world.inside(gym)) == (Outcome.LEFT, [])
    before = kept(world, member)
    assert before == [(gym, came, answer.decided_at, None)]
    assert answer.decided_at > came
    world.clock.forward(60)
    annul(world, entered(world, gym, member))
    assert kept(world, member) == before


def test_scans_of_a_member_keep_their_order_on_a_server_whose_clock_is_behind(world: World) -> None:
    gym, other, (member, beside) = world.gym(), world.gym(), world.members(2)
    for someone in (member, beside):
        entered(world, gym, someone)
    began = world.clock.now
    world.clock.forward(-2)
    scans = [
        world.scan(other, world.code(member, 15), ENTER),
        world.scan(other, world.code(member), LEAVE),
        world.scan(gym, world.code(beside), LEAVE),
    ]
    world.ask(*scans)
    world.clock.forward(62)
    before = kept(world, member)
    assert [visit[0] for visit in before] == [gym, other]
    assert (world.inside(gym), world.inside(other)) == ([], [])
    annul(world, entered(world, gym, member))
    assert kept(world, member) == before
    assert began < before[1][1] < began + timedelta(milliseconds=1)


@pytest.mark.parametrize("added", [False, True])
def test_a_head_count_ends_visits_that_began_by_a_clock_ahead(world: World, *, added: bool) -> None:
    gym, member = world.gym(), world.member()
    came = world.clock.now
    if added:
        world.ask(world.count(gym, 3))
    else:
        entered(world, gym, member)
    world.clock.forward(-2)
    (answer,) = world.ask(world.count(gym, 0))
    assert isinstance(answer, HeadCountAnswer)
    assert world.inside(gym) == []
    world.clock.forward(60)
    annul(world, entered(world, gym, member))
    assert world.inside(gym) == []
    assert kept(world, member) == ([] if added else [(gym, came, came, Inferred.HEAD_COUNT)])


def test_a_head_count_ends_visits_of_uploads_that_a_gateway_s_clock_has_ahead(world: World) -> None:
    gym, member = world.gym(), world.member()
    ahead = world.clock.now + timedelta(seconds=3)
    upload = world.offline(gym, world.code(member), ENTER, 0)
    assert uploaded(world, OfflineScan(replace(upload.scan, scanned_at=ahead, arrived_at=ahead))) is None
    (answer,) = world.ask(world.count(gym, 0))
    assert isinstance(answer, HeadCountAnswer)
    world.clock.forward(60)
    annul(world, entered(world, gym, member))
    assert kept(world, member) == [(gym, ahead, ahead, Inferred.HEAD_COUNT)]
