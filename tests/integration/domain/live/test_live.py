"""The live view's questions on both kinds of store."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import insert

from deployments.gym.services import GymServices, gym_services
from domain.door.model import Direction, PassReading, PassStatus
from domain.door.tables import open_machine_uses
from domain.gyms.model import GymProblem, GymRefusal
from domain.gyms.tables import gate_devices, gates
from domain.ids import new_id
from domain.live.model import LiveReading, MachineCount
from domain.live.service_level import ServiceLevel
from domain.machines.tables import machines
from tests.world import START, World

ENTER, LEAVE = Direction.ENTER, Direction.LEAVE


@pytest.fixture
def services(world: World) -> GymServices:
    return gym_services(world.store, world.clock)


def live(services: GymServices, gym: UUID, **how: object) -> LiveReading:
    found = services.live.snapshot(gym, **how)  # type: ignore[arg-type]
    assert isinstance(found, LiveReading)
    return found


def test_an_hour_is_counted_minute_by_minute_without_what_was_annulled(world: World, services: GymServices) -> None:
    gym, elsewhere = world.gym(), world.gym()
    ana, ben, eve, zoe = world.members(4)
    world.answer(world.scan(gym, world.code(ana), ENTER))
    world.clock.forward(10 * 60)
    world.answer(world.scan(gym, world.code(ben), ENTER))
    world.answer(world.scan(gym, PassReading(PassStatus.FORGED), ENTER))
    world.answer(world.scan(gym, world.code(eve), ENTER, scan_id="mistaken"))
    world.answer(world.scan(elsewhere, world.code(zoe), ENTER))
    world.clock.forward(60)
    world.ask(world.annulment(gym, "mistaken"))
    world.answer(world.scan(gym, world.code(ana), LEAVE))
    found = live(services, gym)
    assert (found.occupancy, found.capacity, found.as_of) == (1, 100, world.clock.now)
    assert len(found.trend) == 60
    happened = [(one.minute, one.entered, one.left, one.occupancy) for one in found.trend if one.entered or one.left]
    assert happened == [
        (START, 1, 0, 1),
        (START + timedelta(minutes=10), 1, 0, 2),
        (START + timedelta(minutes=11), 0, 1, 1),
    ]
    world.clock.forward(55 * 60)
    assert [one.entered for one in live(services, gym).trend if one.entered] == [1], "an hour and no more"


def test_while_a_minute_lasts_no_other_is_read_again(world: World, services: GymServices) -> None:
    gym = world.gym()
    known_to = live(services, gym).trend[-1].minute
    assert len(live(services, gym, trend_known_to=known_to).trend) == 1
    world.clock.forward(60)
    assert len(live(services, gym, trend_known_to=known_to).trend) == 60


def test_names_are_read_only_when_asked_for(world: World, services: GymServices) -> None:
    gym = world.gym()
    for member in world.members(3):
        world.answer(world.scan(gym, world.code(member), ENTER))
    assert live(services, gym).inside is None
    inside = live(services, gym, names=True).inside
    assert inside is not None
    assert [one.name for one in inside] == ["Mia"] * 3
    refused = services.live.snapshot(new_id())
    assert isinstance(refused, GymRefusal)
    assert refused.problem is GymProblem.UNKNOWN_GYM


def test_a_retired_gym_is_read_for_staff_only(world: World, services: GymServices) -> None:
    gym = world.gym()
    world.answer(world.scan(gym, world.code(world.member()), ENTER))
    assert not live(services, gym, names=True).retired
    world.change_gym(gym, retired_at=world.clock.now)
    assert isinstance(services.live.snapshot(gym), GymRefusal)
    found = live(services, gym, names=True)
    assert (found.occupancy, found.retired) == (1, True)


def test_machines_in_use_or_out_of_order_are_not_free_and_retired_ones_are_none(
    world: World, services: GymServices
) -> None:
    gym = world.gym()
    ids = {name: new_id() for name in ("free", "used", "broken", "retired", "other")}
    common = {"gym_id": gym, "description": "", "version": 1, "created_at": START}
    with world.store.writing() as connection:
        for number, (name, id_) in enumerate(ids.items()):
            connection.execute(
                insert(machines).values(
                    id=id_,
                    legacy_number=number + 1,
                    name=name,
                    type="rower" if name == "other" else "bench",
                    out_of_order_since=START if name == "broken" else None,
                    retired_at=START if name == "retired" else None,
                    **common,
                )
            )
        connection.execute(
            insert(open_machine_uses).values(
                machine_id=ids["used"],
                use_id=new_id(),
                gym_id=gym,
                member_id=new_id(),
                visit_id=new_id(),
                started_at=START,
            )
        )
    assert live(services, gym).free_machines == {"bench": MachineCount(1, 3), "rower": MachineCount(1, 1)}


@pytest.fixture
def gym_with_device(world: World) -> UUID:
    gym = world.gym()
    with world.store.writing() as connection:
        connection.execute(
            insert(gates).values(id=world.gates[gym], gym_id=gym, name="Door", serves="both", created_at=START)
        )
        for id_, revoked in ((world.device, None), (new_id(), START)):
            connection.execute(
                insert(gate_devices).values(
                    id=id_,
                    gate_id=world.gates[gym],
                    name="Reader",
                    secret_hash="",
                    revoked_at=revoked,
                    created_at=START,
                )
            )
    return gym


def test_the_service_level_looks_at_the_newest_scans_of_a_while(
    world: World, services: GymServices, gym_with_device: UUID
) -> None:
    gym = gym_with_device
    for member in world.members(5):
        world.answer(world.scan(gym, world.code(member), ENTER))
        world.clock.forward(10 * 60)
    found = services.live.service_level(gym, timedelta(minutes=35), 100)
    assert isinstance(found, ServiceLevel)
    assert (found.scans, found.limited, found.outcomes) == (3, False, {"entered": 3})
    assert [(gate.name, gate.scans) for gate in found.gates] == [("Door", 3)]
    assert [(device.id, device.silent) for device in found.devices] == [(world.device, True)]
    limited = services.live.service_level(gym, timedelta(hours=2), 2)
    assert isinstance(limited, ServiceLevel)
    assert (limited.scans, limited.limited, limited.at_most) == (2, True, 2)
    assert limited.devices[0].last_scan_at == START + timedelta(minutes=40)
    assert isinstance(services.live.service_level(new_id(), timedelta(hours=1), 2), GymRefusal)
