"""What was forgotten is ended by rule, at its time and not before; on both kinds of store."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select

from domain.door.machine_model import MachineAction, UseEnded
from domain.door.model import Direction, ExpireVisitsAnswer, ExpireVisitsRequest, Inferred
from domain.door.reconcile import disagreements
from domain.door.service import gyms_with_forgotten_visits
from domain.door.tables import machine_uses, visits
from domain.gyms.hours_repository import HoursRepository
from domain.gyms.opening_hours import OpeningException, OpeningHours
from domain.gyms.timetable import Timetable
from tests.world import World

HOUR = 3600
ENTER = Direction.ENTER


def enter(world: World, gym: UUID) -> UUID:
    member = world.member()
    assert world.answer(world.scan(gym, world.code(member), ENTER)).outcome == "entered"
    return member


def tidied(world: World, gym: UUID) -> tuple[int, int]:
    """How much is ended; as much as was announced."""
    with world.store.reading() as connection:
        due = gym in gyms_with_forgotten_visits(connection, world.clock.now)
    (answer,) = world.ask(ExpireVisitsRequest(gym, world.clock.now))
    assert isinstance(answer, ExpireVisitsAnswer)
    assert due == bool(answer.visits or answer.uses)
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        assert gym not in gyms_with_forgotten_visits(connection, world.clock.now)
    return answer.visits, answer.uses


def set_hours(world: World, gym: UUID, *exceptions: OpeningException) -> None:
    week = tuple(OpeningHours(weekday, 6 * 60, 22 * 60) for weekday in range(7))
    with world.store.writing() as connection:
        HoursRepository(connection).set(gym, Timetable(week, exceptions))


def test_a_visit_past_the_longest_is_ended_and_marked(world: World) -> None:
    gym = world.gym()  # six hours
    first = enter(world, gym)
    world.clock.forward(HOUR)
    second = enter(world, gym)
    world.clock.forward(5 * HOUR - 1)
    assert tidied(world, gym) == (0, 0)
    world.clock.forward(1)
    assert tidied(world, gym) == (1, 0)
    assert world.inside(gym) == [second]
    with world.store.reading() as connection:
        visit = connection.execute(select(visits).where(visits.c.member_id == first)).one()
        assert (visit.left_at, visit.left_scan, visit.inferred) == (world.clock.now, None, Inferred.FORGOTTEN)


def test_closing_time_and_grace_end_a_visit(world: World) -> None:
    gym = world.gym()
    world.change_gym(gym, longest_visit_s=24 * HOUR, grace_after_closing_s=900)
    set_hours(world, gym)
    world.clock.forward(8 * HOUR)  # 21:00 in Berlin
    enter(world, gym)
    world.clock.forward(HOUR + 899)
    assert tidied(world, gym) == (0, 0)
    world.clock.forward(1)
    assert tidied(world, gym) == (1, 0)


def test_a_day_out_of_the_ordinary_has_its_own_closing_time(world: World) -> None:
    gym = world.gym()
    set_hours(world, gym, OpeningException(date(2026, 3, 2), 6 * 60, 14 * 60))
    enter(world, gym)  # 13:00 in Berlin
    world.clock.forward(HOUR - 1)
    assert tidied(world, gym) == (0, 0)
    world.clock.forward(1)
    assert tidied(world, gym) == (1, 0)


def test_a_machine_used_for_too_long_is_free_and_its_member_stays(world: World) -> None:
    gym = world.gym()
    world.change_gym(gym, longest_use_s=HOUR)
    member = enter(world, gym)
    machine = world.machine(gym)
    world.ask(world.wish(MachineAction.USE, machine, member, gym))
    world.clock.forward(HOUR - 1)
    assert tidied(world, gym) == (0, 0)
    world.clock.forward(2)
    assert tidied(world, gym) == (0, 1)
    assert world.inside(gym) == [member]
    with world.store.reading() as connection:
        assert connection.execute(select(machine_uses.c.inferred)).scalar() == UseEnded.TOO_LONG


def test_visits_that_a_head_count_added_are_forgotten_as_well(world: World) -> None:
    gym = world.gym()
    world.ask(world.count(gym, 3))
    world.clock.forward(6 * HOUR)
    assert tidied(world, gym) == (3, 0)
    assert world.inside(gym) == []


def test_a_retired_gym_is_tidied_too(world: World) -> None:
    gym = world.gym()
    enter(world, gym)
    world.change_gym(gym, retired_at=world.clock.now)
    world.clock.forward(timedelta(hours=6).total_seconds())
    assert tidied(world, gym) == (1, 0)
