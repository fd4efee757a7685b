"""Members, doors and consumers that get in each other's way; two consumers share the work."""

import random
from collections import Counter
from dataclasses import replace
from uuid import UUID

import pytest

from domain.door.model import AnnulAnswer, Direction, DoorResult, Outcome, Problem, Reason, Rejected, ScanAnswer
from domain.ids import new_id
from integrations.settings import Settings
from tests.faults.conftest import StartConsumer
from tests.faults.door_client import Door, door, patient
from tests.faults.invariants import assert_invariants
from tests.integration.kafka.echo_consumer import dead_letters
from tests.world import World

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(280)]

YEARS = 3650


async def both_at_work(the_door: Door, world: World, start_consumer: StartConsumer) -> None:
    """Two consumers, and a command has been through every gym's partition."""
    start_consumer()
    start_consumer()
    member = world.member(days=YEARS)
    for gym in world.gates:
        await the_door.ask(patient(world.scan(gym, world.code(member), Direction.LEAVE)))


def outcomes(answers: list[DoorResult]) -> Counter[tuple[Outcome, Reason | None]]:
    return Counter((answer.outcome, answer.reason) for answer in answers if isinstance(answer, ScanAnswer))


async def test_members_who_enter_several_gyms_at_once_end_up_inside_one(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gyms = [world.gym() for _ in range(6)]
    members = world.members(40, days=YEARS)
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        requests = [
            # Codes of different times: each is good, and each scan is a wish of its own.
            patient(world.scan(gym, world.code(member, ago=15 * (n % 3)), Direction.ENTER))
            for member in members
            for n, gym in enumerate(random.sample(gyms, 3))
        ]
        answers = await the_door.ask_all(requests)
    assert outcomes(answers) == {(Outcome.ENTERED, None): 120}
    assert sorted(member for gym in gyms for member in world.inside(gym) if member) == sorted(members)
    assert_invariants(world.store, the_door.given)


async def test_one_place_goes_to_one_of_two_hundred_members_at_two_doors(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym(capacity=1)
    doors = [new_id(), new_id()]
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        answers = await the_door.ask_all(
            patient(world.scan(gym, world.code(member), Direction.ENTER, gate=doors[n % 2], asked_by=doors[n % 2]))
            for n, member in enumerate(world.members(200, days=YEARS))
        )
    assert outcomes(answers) == {(Outcome.ENTERED, None): 1, (Outcome.REFUSED, Reason.GYM_FULL): 199}
    assert_invariants(world.store, the_door.given)


async def test_the_same_pass_at_two_doors_at_once_admits_once(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    doors = [new_id(), new_id()]
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        answers = await the_door.ask_all(
            patient(world.scan(gym, world.code(member), Direction.ENTER, gate=gate, asked_by=gate))
            for member in world.members(50, days=YEARS)
            for gate in doors
        )
    assert outcomes(answers) == {(Outcome.ENTERED, None): 50, (Outcome.REFUSED, Reason.USED_PASS): 50}
    assert_invariants(world.store, the_door.given)


async def test_several_long_lived_passes_at_several_gyms_at_once_admit_once(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gyms = [world.gym() for _ in range(6)]
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        answers = await the_door.ask_all(
            patient(world.scan(gym, replace(world.code(member, ago=15 * n), validity_s=300), Direction.ENTER))
            for member in world.members(40, days=YEARS)
            for n, gym in enumerate(random.sample(gyms, 3))
        )
    assert outcomes(answers) == {(Outcome.ENTERED, None): 40, (Outcome.REFUSED, Reason.USED_PASS): 80}
    assert_invariants(world.store, the_door.given)


async def test_the_same_pass_at_two_gyms_at_once_admits_once(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gyms = [world.gym() for _ in range(6)]
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        answers = await the_door.ask_all(
            patient(world.scan(gym, world.code(member), Direction.ENTER))
            for n, member in enumerate(world.members(60, days=YEARS))
            for gym in (gyms[n % 6], gyms[(n + 1 + n % 5) % 6])
        )
    assert outcomes(answers) == {(Outcome.ENTERED, None): 60, (Outcome.REFUSED, Reason.USED_PASS): 60}
    assert_invariants(world.store, the_door.given)


async def test_commands_that_are_repeated_and_come_in_any_order_are_decided_once(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gyms = [world.gym(capacity=10) for _ in range(3)]
    chance = random.Random(7)  # noqa: S311 - no secret
    wishes = [
        patient(world.scan(chance.choice(gyms), world.code(member, ago), direction, gate=new_id()))
        for member in world.members(30, days=YEARS)
        for ago, direction in ((0, Direction.ENTER), (15, Direction.LEAVE), (30, Direction.AUTO))
    ]
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        before = len(the_door.given)
        repeated = wishes * 3
        chance.shuffle(repeated)
        await the_door.ask_all(repeated)
    assert len(the_door.given) - before == len(wishes)
    assert all(len(the_door.given[wish.scan_id, wish.asked_by]) == 3 for wish in wishes)
    assert_invariants(world.store, the_door.given)


async def test_an_annulment_that_overtakes_its_scan_refuses_it(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    async with door(settings) as the_door:
        await both_at_work(the_door, world, start_consumer)
        member = world.member(days=YEARS)
        overtaken = patient(world.scan(gym, world.code(member), Direction.ENTER))
        annulled = await the_door.ask(world.annulment(gym, overtaken.scan_id))
        refused = await the_door.ask(overtaken)
        entered = await the_door.ask(patient(world.scan(gym, world.code(member), Direction.ENTER)))
    assert isinstance(annulled, AnnulAnswer)
    assert isinstance(refused, ScanAnswer)
    assert isinstance(entered, ScanAnswer)
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, Reason.TOO_LATE)
    assert entered.outcome is Outcome.ENTERED, "the pass was not used up"
    assert_invariants(world.store, the_door.given)


async def test_a_poisoned_command_in_the_middle_of_a_batch_goes_to_the_dead_letters_alone(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    requests = [
        patient(world.scan(gym, world.code(member), Direction.ENTER)) for member in world.members(40, days=YEARS)
    ]
    # No Gateway lets such an id pass; the database refuses to keep it.
    requests[20] = replace(requests[20], scan_id="x" * 65)
    async with door(settings) as the_door:
        asking = the_door.starts_asking(requests)
        start_consumer()
        answers = await asking
    poisoned = answers.pop(20)
    assert isinstance(poisoned, Rejected)
    assert poisoned.problem is Problem.NOT_DECIDED
    assert outcomes(answers) == {(Outcome.ENTERED, None): 39}
    letters = dead_letters(settings, 1)
    assert b"x" * 65 in (letters[0].value or b"")
    assert "Data too long" in letters[0].reason
    assert_invariants(world.store, the_door.given)


async def test_two_devices_may_use_the_same_scan_id(
    settings: Settings, world: World, start_consumer: StartConsumer
) -> None:
    gym = world.gym()
    devices: list[UUID] = [new_id(), new_id()]
    async with door(settings) as the_door:
        start_consumer()
        answers = await the_door.ask_all(
            patient(world.scan(gym, world.code(member), Direction.ENTER, scan_id="1", asked_by=device))
            for member, device in zip(world.members(2, days=YEARS), devices, strict=True)
        )
    assert outcomes(answers) == {(Outcome.ENTERED, None): 2}
    assert_invariants(world.store, the_door.given)
