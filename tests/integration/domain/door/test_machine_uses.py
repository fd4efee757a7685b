"""Machines are used by who is inside, one by one, and are free when they leave; on both kinds of store."""

from uuid import UUID

import pytest
from sqlalchemy import select

from domain.door.machine_model import MachineAction, MachineAnswer, MachineRequest, UseEnded, UseOutcome, UseReason
from domain.door.model import Direction, Problem, Rejected
from domain.door.reconcile import disagreements
from domain.door.tables import machine_uses, open_machine_uses
from tests.world import START, World

USE, RELEASE = MachineAction.USE, MachineAction.RELEASE
ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


def answer(world: World, request: MachineRequest) -> MachineAnswer:
    (result,) = world.ask(request)
    assert isinstance(result, MachineAnswer), result
    return result


def used(world: World) -> list[tuple[UUID, UUID]]:
    with world.store.reading() as connection:
        assert disagreements(connection) == []
        query = select(open_machine_uses.c.machine_id, open_machine_uses.c.member_id)
        return [(row.machine_id, row.member_id) for row in connection.execute(query)]


def endings(world: World) -> list[str | None]:
    with world.store.reading() as connection:
        rows = connection.execute(select(machine_uses).where(machine_uses.c.ended_at.is_not(None)))
        return [row.inferred for row in rows]


def refusal(world: World, request: MachineRequest) -> UseReason | None:
    result = answer(world, request)
    assert result.outcome is UseOutcome.REFUSED
    assert result.use_id is None
    return result.reason


def test_a_machine_is_used_and_released_by_a_member_who_is_inside(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    assert refusal(world, world.wish(USE, machine, member, gym)) is UseReason.NOT_INSIDE
    world.answer(world.scan(gym, world.code(member), ENTER))
    begun = answer(world, world.wish(USE, machine, member, gym))
    assert (begun.outcome, begun.reason, used(world)) == (UseOutcome.USED, None, [(machine, member)])
    again = answer(world, world.wish(USE, machine, member, gym))
    assert (again.outcome, again.use_id, again.replayed) == (UseOutcome.USED, begun.use_id, False)
    freed = answer(world, world.wish(RELEASE, machine, member, gym))
    assert (freed.outcome, freed.use_id, used(world)) == (UseOutcome.RELEASED, begun.use_id, [])
    assert refusal(world, world.wish(RELEASE, machine, member, gym)) is UseReason.NOT_USING
    assert endings(world) == [None]


def test_one_machine_at_a_time_and_one_member_at_a_machine(world: World) -> None:
    gym = world.gym()
    one, other = world.members(2)
    rower, bike = world.machine(gym), world.machine(gym)
    for member in (one, other):
        world.answer(world.scan(gym, world.code(member), ENTER))
    # In one batch: what comes first is known to what comes after.
    first, second, third = world.ask(
        world.wish(USE, rower, one, gym), world.wish(USE, rower, other, gym), world.wish(USE, bike, one, gym)
    )
    assert isinstance(first, MachineAnswer)
    assert isinstance(second, MachineAnswer)
    assert isinstance(third, MachineAnswer)
    assert [result.reason for result in (first, second, third)] == [None, UseReason.IN_USE, UseReason.ALREADY_USING]
    assert refusal(world, world.wish(RELEASE, rower, other, gym)) is UseReason.NOT_USING
    assert used(world) == [(rower, one)]


def test_leaving_the_gym_frees_the_machine_and_undoing_that_gives_it_back(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    world.answer(world.scan(gym, world.code(member), ENTER))
    answer(world, world.wish(USE, machine, member, gym))
    world.clock.forward(60)
    left = world.scan(gym, world.code(member), LEAVE)
    world.answer(left)
    assert (used(world), endings(world)) == ([], [UseEnded.LEFT_GYM])
    world.ask(world.annulment(gym, left.scan_id))
    assert (used(world), endings(world)) == ([(machine, member)], [])


def test_a_machine_that_was_taken_meanwhile_is_not_given_back(world: World) -> None:
    gym = world.gym()
    member, other = world.members(2)
    machine = world.machine(gym)
    for one in (member, other):
        world.answer(world.scan(gym, world.code(one), ENTER))
    answer(world, world.wish(USE, machine, member, gym))
    world.clock.forward(60)
    left = world.scan(gym, world.code(member), LEAVE)
    world.answer(left)
    answer(world, world.wish(USE, machine, other, gym))
    world.ask(world.annulment(gym, left.scan_id))
    assert used(world) == [(machine, other)]


def test_annulling_the_entry_frees_the_machine(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    entry = world.scan(gym, world.code(member), ENTER)
    world.answer(entry)
    answer(world, world.wish(USE, machine, member, gym))
    world.ask(world.annulment(gym, entry.scan_id))
    assert (used(world), endings(world)) == ([], [UseEnded.SCAN_ANNULLED])


def test_entering_another_gym_frees_the_machine(world: World) -> None:
    gym, elsewhere = world.gym(), world.gym()
    member = world.member()
    machine = world.machine(gym)
    world.answer(world.scan(gym, world.code(member), ENTER))
    answer(world, world.wish(USE, machine, member, gym))
    world.clock.forward(60)
    world.answer(world.scan(elsewhere, world.code(member), ENTER))
    assert (used(world), endings(world)) == ([], [UseEnded.LEFT_GYM])


@pytest.mark.parametrize(
    "values", [{"out_of_order_since": START, "out_of_order_reason": "belt"}, {"retired_at": START}]
)
def test_a_machine_that_does_not_work_is_not_used(world: World, values: dict[str, object]) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym, **values)
    world.answer(world.scan(gym, world.code(member), ENTER))
    assert refusal(world, world.wish(USE, machine, member, gym)) is UseReason.OUT_OF_ORDER


def test_a_repeated_request_gets_the_first_answer(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    early = world.wish(USE, machine, member, gym, request_id="early")
    assert refusal(world, early) is UseReason.NOT_INSIDE
    world.answer(world.scan(gym, world.code(member), ENTER))
    again = answer(world, early)
    assert (again.reason, again.replayed) == (UseReason.NOT_INSIDE, True)
    (reused,) = world.ask(world.wish(RELEASE, machine, member, gym, request_id="early"))
    assert isinstance(reused, Rejected)
    assert reused.problem is Problem.REQUEST_ID_REUSED


def test_what_comes_past_its_deadline_changes_nothing(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    world.answer(world.scan(gym, world.code(member), ENTER))
    late = world.wish(USE, machine, member, gym)
    world.clock.forward(2)
    assert refusal(world, late) is UseReason.TOO_LATE
    assert used(world) == []


def test_staff_release_a_machine_for_whoever_uses_it(world: World) -> None:
    gym, member = world.gym(), world.member()
    machine = world.machine(gym)
    world.answer(world.scan(gym, world.code(member), ENTER))
    answer(world, world.wish(USE, machine, member, gym))
    freed = answer(world, world.wish(RELEASE, machine, member, gym, asked_by=world.device))
    assert (freed.outcome, used(world), endings(world)) == (UseOutcome.RELEASED, [], [UseEnded.BY_STAFF])


def test_a_machine_of_another_gym_is_unknown(world: World) -> None:
    gym, elsewhere = world.gym(), world.gym()
    member = world.member()
    machine = world.machine(elsewhere)
    world.answer(world.scan(gym, world.code(member), ENTER))
    (result,) = world.ask(world.wish(USE, machine, member, gym))
    assert isinstance(result, Rejected)
    assert result.problem is Problem.UNKNOWN_MACHINE
