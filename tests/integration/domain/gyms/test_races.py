"""Two at once: one changes what both have read, one gets the device of a code, each new gym its own number."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from uuid import UUID

from sqlalchemy import delete, func, select

from deployments.gym.services import gym_services
from domain.companies.tables import companies
from domain.door.model import Direction, DoorResult, Reason, ScanAnswer
from domain.door.service import decide_batch
from domain.gyms.model import Gate, GateDirections, Gym, GymDetails, GymProblem, GymRefusal, NewDevice
from domain.gyms.opening_hours import OpeningHours
from domain.gyms.tables import gate_devices, opening_hours
from domain.gyms.timetable import GymHours, Timetable
from domain.ids import new_id
from domain.memberships.tables import memberships, plans
from tests.world import World

T = TypeVar("T")

TOGETHER = 4
DETAILS = GymDetails("Riverside", "Quay 7", "Europe/Berlin", 12)


def at_once(ask: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(TOGETHER) as threads:
        return list(threads.map(ask, range(TOGETHER)))


def refusals(answers: list[T | GymRefusal]) -> list[GymProblem]:
    return [answer.problem for answer in answers if isinstance(answer, GymRefusal)]


def test_of_admins_who_read_one_version_one_changes_it(world: World) -> None:
    services, gym = gym_services(world.store, world.clock), world.gym()
    changed = at_once(lambda turn: services.gyms.change(gym, {"capacity": 10 + turn}, 1))
    assert refusals(changed) == [GymProblem.CHANGED_MEANWHILE] * (TOGETHER - 1)
    (made,) = [answer for answer in changed if isinstance(answer, Gym)]
    assert made.version == 2
    assert services.gyms.gym(gym) == made

    def set_hours(turn: int) -> GymHours | GymRefusal:
        return services.gyms.set_opening_hours(gym, Timetable((OpeningHours(turn, 360, 1320),)), 2)

    assert refusals(at_once(set_hours)) == [GymProblem.CHANGED_MEANWHILE] * (TOGETHER - 1)
    with world.store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(opening_hours)).scalar_one() == 1
    gate = services.gates.create(gym, "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    renamed = at_once(lambda turn: services.gates.change(gate.id, f"Gate {turn}", None, 1))
    assert refusals(renamed) == [GymProblem.CHANGED_MEANWHILE] * (TOGETHER - 1)


def test_nobody_is_inside_a_gym_that_was_retired_as_empty(world: World) -> None:
    services = gym_services(world.store, world.clock)
    for _ in range(8):
        gym, members = world.gym(), world.members(TOGETHER)

        def retire_or_enter(
            turn: int, gym: UUID = gym, members: list[UUID] = members
        ) -> Gym | GymRefusal | DoorResult | None:
            if turn == TOGETHER // 2:
                return services.gyms.retire(gym)
            request = world.scan(gym, world.code(members[turn]), Direction.ENTER)
            while True:
                with world.store.writing() as connection:
                    (answer,) = decide_batch(connection, [request], world.clock, world.limits)
                if answer is not None:  # None: the gym is held by somebody else
                    return answer

        answers = at_once(retire_or_enter)
        retired = answers.pop(TOGETHER // 2)
        reasons = [answer.reason for answer in answers if isinstance(answer, ScanAnswer)]
        assert len(reasons) == TOGETHER - 1
        if isinstance(retired, Gym):
            assert world.inside(gym) == []
            assert reasons == [Reason.GYM_CLOSED] * (TOGETHER - 1)
        else:
            assert isinstance(retired, GymRefusal)
            assert retired.problem is GymProblem.GYM_NOT_EMPTY
            assert reasons == [None] * (TOGETHER - 1)


def test_of_those_who_show_one_code_one_becomes_its_device(world: World) -> None:
    services = gym_services(world.store, world.clock)
    gate = services.gates.create(world.gym(), "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    pairing = services.pairings.create(gate.id, "Reader", new_id(), "http://gym.test/pair")
    assert not isinstance(pairing, GymRefusal)
    claims = at_once(lambda _: services.pairings.claim(pairing.code))
    assert refusals(claims) == [GymProblem.UNKNOWN_PAIRING] * (TOGETHER - 1)
    (made,) = [claim for claim in claims if isinstance(claim, NewDevice)]
    with world.store.reading() as connection:
        assert connection.execute(select(gate_devices.c.id)).scalars().all() == [made.device.id]


def test_gyms_made_at_once_get_numbers_of_their_own_and_one_company(world: World) -> None:
    with world.store.writing() as connection:
        for table in (memberships, plans, companies):
            connection.execute(delete(table))
    services = gym_services(world.store, world.clock)
    made = at_once(lambda _: services.gyms.create(DETAILS))
    assert sorted(gym.legacy_number for gym in made) == list(range(1, TOGETHER + 1))
    with world.store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(companies)).scalar_one() == 1


def test_a_gym_is_removed_or_used_never_both(world: World) -> None:
    services = gym_services(world.store, world.clock)
    gym, member = world.gym(), world.member()
    world.answer(world.scan(gym, world.code(member)))
    assert refusals(at_once(lambda _: services.gyms.delete(gym, None))) == [GymProblem.GYM_IN_USE] * TOGETHER
    unused = world.gym()
    removed = at_once(lambda _: services.gyms.delete(unused, None))
    assert refusals(removed) == [GymProblem.UNKNOWN_GYM] * (TOGETHER - 1)
