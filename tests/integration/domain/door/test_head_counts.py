"""After a head count as many are inside as staff have seen; on both kinds of store."""

from datetime import timedelta
from threading import Barrier, Thread
from uuid import UUID

import pytest
from sqlalchemy import select

from domain.door.model import (
    Direction,
    DoorRequest,
    DoorResult,
    HeadCountAnswer,
    HeadCountRequest,
    Inferred,
    Problem,
    Rejected,
    ScanAnswer,
)
from domain.door.reconcile import disagreements
from domain.door.tables import head_counts, visits
from tests.world import World

ENTER = Direction.ENTER


def counted(world: World, request: HeadCountRequest) -> HeadCountAnswer:
    (answer,) = world.ask(request)
    assert isinstance(answer, HeadCountAnswer), answer
    return answer


def enter(world: World, gym: UUID, number: int) -> list[UUID]:
    members = world.members(number)
    for member in members:
        world.answer(world.scan(gym, world.code(member), ENTER))
        world.clock.forward(30)
    return members


def agrees(world: World) -> None:
    with world.store.reading() as connection:
        assert disagreements(connection) == []


def test_too_many_open_visits_end_the_oldest_by_inference(world: World) -> None:
    gym = world.gym()
    members = enter(world, gym, 4)
    answer = counted(world, world.count(gym, 2))
    assert (answer.before, answer.closed, answer.added, answer.occupancy) == (4, 2, 0, 2)
    assert set(world.inside(gym)) == set(members[2:])
    with world.store.reading() as connection:
        ended = connection.execute(select(visits).where(visits.c.left_at.is_not(None))).all()
        assert {(row.member_id, row.inferred) for row in ended} == {(m, Inferred.HEAD_COUNT) for m in members[:2]}
        kept = connection.execute(select(head_counts)).one()
        assert (kept.counted, kept.inside_before, kept.by_id, kept.reason) == (2, 4, world.device, "walked through")
    agrees(world)


def test_too_few_are_filled_up_by_visits_without_a_name(world: World) -> None:
    gym = world.gym(capacity=3)
    (member,) = enter(world, gym, 1)
    answer = counted(world, world.count(gym, 5))
    assert (answer.before, answer.closed, answer.added, answer.occupancy) == (1, 0, 4, 5)
    assert sorted(map(str, world.inside(gym))) == sorted([str(member), *["None"] * 4])
    full = world.answer(world.scan(gym, world.code(world.member()), ENTER))
    assert full.reason == "gym_full"
    agrees(world)
    assert counted(world, world.count(gym, 0)).closed == 5
    assert world.inside(gym) == []
    agrees(world)


def test_a_repeated_count_changes_nothing(world: World) -> None:
    gym = world.gym()
    enter(world, gym, 2)
    request = world.count(gym, 1, count_id="noon")
    first = counted(world, request)
    enter(world, gym, 3)
    again = counted(world, request)
    assert (again.replayed, again.before, again.closed, again.occupancy) == (True, 2, 1, first.occupancy)
    assert len(world.inside(gym)) == 4
    (other,) = world.ask(world.count(gym, 7, count_id="noon"))
    assert isinstance(other, Rejected)
    assert other.problem is Problem.REQUEST_ID_REUSED


def test_a_count_that_comes_late_is_not_true_any_more(world: World) -> None:
    gym = world.gym()
    enter(world, gym, 2)
    request = world.count(gym, 0)
    world.clock.forward(5)
    (answer,) = world.ask(request)
    assert isinstance(answer, Rejected)
    assert answer.problem is Problem.COUNT_TOO_LATE
    assert len(world.inside(gym)) == 2


def test_a_digit_too_many_is_not_believed(world: World) -> None:
    gym = world.gym(capacity=100)
    (answer,) = world.ask(world.count(gym, 351))
    assert isinstance(answer, Rejected)
    assert answer.problem is Problem.COUNT_NOT_PLAUSIBLE
    assert counted(world, world.count(gym, 350)).added == 350


def test_thousands_are_counted_in_and_out_within_a_deadline_of_its_own(world: World) -> None:
    gym = world.gym(capacity=2000)
    assert counted(world, world.count(gym, 4000)).added == 4000
    assert counted(world, world.count(gym, 7)).closed == 3993
    assert len(world.inside(gym)) == 7
    agrees(world)


def test_whoever_was_counted_out_may_still_leave_and_enter(world: World) -> None:
    gym = world.gym()
    (member,) = enter(world, gym, 1)
    counted(world, world.count(gym, 0))
    world.clock.forward(60)
    left = world.answer(world.scan(gym, world.code(member), Direction.LEAVE))
    assert left.outcome == "left"
    world.clock.forward(60)
    assert world.answer(world.scan(gym, world.code(member), ENTER)).outcome == "entered"
    agrees(world)


def ask_until_answered(world: World, request: DoorRequest, start: Barrier, results: list[DoorResult]) -> None:
    start.wait()
    for _ in range(20):
        try:
            results.extend(world.ask(request))
        except AssertionError:  # somebody else holds the member
            continue
        return


@pytest.mark.parametrize("store_url", ["mariadb"], indirect=True)
def test_a_count_and_an_entry_elsewhere_at_the_same_time_agree(world: World) -> None:
    gym, elsewhere = world.gym(), world.gym()
    for _ in range(8):
        (member,) = enter(world, gym, 1)
        start = Barrier(2)
        results: list[DoorResult] = []
        count = world.count(gym, 0)
        entry = world.scan(elsewhere, world.code(member), ENTER)
        threads = [Thread(target=ask_until_answered, args=[world, one, start, results]) for one in (count, entry)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {type(result) for result in results} == {HeadCountAnswer, ScanAnswer}
        assert world.inside(gym) == []
        agrees(world)
        world.clock.forward(timedelta(minutes=20).total_seconds())
