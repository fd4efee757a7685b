"""The Gym's own answers about gyms and devices, where they differ from what the gateway's tests see."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from deployments.gym.services import GymServices, gym_services
from domain.companies.tables import companies
from domain.door.tables import head_counts
from domain.gyms.model import DeviceSighting, Gate, GateDirections, Gym, GymDetails, GymProblem, GymRefusal, NewDevice
from domain.gyms.rules import hash_code, new_code
from domain.gyms.tables import device_pairings
from domain.ids import new_id
from domain.machines.tables import machines
from domain.memberships.tables import plan_gyms, plans
from domain.paging import PageRequest
from domain.unit_of_work import Store
from tests.servers import migrate
from tests.world import START, World

DETAILS = GymDetails("Riverside", "Quay 7", "Europe/Berlin", 12)


@pytest.fixture
def services(world: World) -> GymServices:
    return gym_services(world.store, world.clock)


def test_the_first_gym_of_all_makes_the_company_that_the_next_ones_are_of(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    migrate(url)
    store = Store(url)
    services = gym_services(store)
    assert [services.gyms.create(DETAILS).legacy_number for _ in range(3)] == [1, 2, 3]
    with store.reading() as connection:
        assert len(connection.execute(select(companies.c.id)).all()) == 1
    store.close()


def test_a_new_gym_gets_the_next_number_and_the_company_that_there_is(world: World, services: GymServices) -> None:
    world.gym()
    assert services.gyms.create(DETAILS).legacy_number == 2
    with world.store.reading() as connection:
        assert connection.execute(select(companies.c.id)).scalars().all() == [world.company]


def test_whatever_refers_to_a_gym_keeps_it(world: World, services: GymServices) -> None:
    plan = {
        "id": new_id(),
        "company_id": world.company,
        "name": "One gym",
        "days": 30,
        "price_amount": 1,
        "price_currency": "EUR",
        "grace_days": 0,
        "covers_all_gyms": False,
        "created_at": START,
    }
    counted = {"counted": 0, "inside_before": 0, "closed": 0, "added": 0}
    for what in ("machines", "plans", "head counts", "visits"):
        gym = world.gym()
        with world.store.writing() as connection:
            if what == "machines":
                machine = {"name": "Rower", "type": "rower", "description": "", "version": 1, "created_at": START}
                connection.execute(insert(machines).values(id=new_id(), legacy_number=1, gym_id=gym, **machine))
            elif what == "plans":
                connection.execute(insert(plans).values(plan))
                connection.execute(insert(plan_gyms).values(plan_id=plan["id"], gym_id=gym))
            elif what == "head counts":
                who = {"id": new_id(), "count_id": "1", "gym_id": gym, "by_id": new_id()}
                connection.execute(insert(head_counts).values(**who, **counted, reason="empty", counted_at=START))
        if what == "visits":
            world.answer(world.scan(gym, world.code(world.member())))
        refused = services.gyms.delete(gym, None)
        assert isinstance(refused, GymRefusal)
        assert refused.problem is GymProblem.GYM_IN_USE
        assert what in refused.detail
        assert isinstance(services.gyms.retire(gym, force=True), Gym)


def test_a_retired_gym_to_which_nothing_refers_can_be_removed(world: World, services: GymServices) -> None:
    gym = world.gym()
    gate = services.gates.create(gym, "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    services.devices.create(gate.id, "Reader")
    services.pairings.create(gate.id, "Spare", new_id(), "http://gym.test/pair")
    services.gyms.retire(gym)
    assert services.gyms.delete(gym, 2) is None
    assert services.gates.gate(gate.id) == GymRefusal(GymProblem.UNKNOWN_GATE, "There is no such gate.")


def test_an_older_sighting_changes_nothing(world: World, services: GymServices) -> None:
    gym = world.gym()
    gate = services.gates.create(gym, "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    made = services.devices.create(gate.id, "Reader")
    assert isinstance(made, NewDevice)
    for seconds, skew in ((10, 50), (5, 70), (20, None)):
        at = START + timedelta(seconds=seconds)
        services.devices.mark_seen([DeviceSighting(made.device.id, at, skew), DeviceSighting(new_id(), at, 1)])
    listed = services.devices.devices(gate.id, PageRequest())
    assert not isinstance(listed, GymRefusal)
    (device,) = listed.items
    assert (device.last_seen_at, device.clock_skew_ms) == (START + timedelta(seconds=20), 50)
    services.devices.mark_seen([])


def test_what_is_kept_of_a_code_does_not_show_it_and_is_forgotten_after_a_day(
    world: World, services: GymServices
) -> None:
    gate = services.gates.create(world.gym(), "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    old = services.pairings.create(gate.id, "Old", new_id(), "http://gym.test/pair")
    assert not isinstance(old, GymRefusal)
    world.clock.forward(24 * 3600 + 601)
    new = services.pairings.create(gate.id, "New", new_id(), "http://gym.test/pair")
    assert not isinstance(new, GymRefusal)
    with world.store.reading() as connection:
        rows = connection.execute(select(device_pairings.c.id, device_pairings.c.code_hash)).all()
    assert [tuple(row) for row in rows] == [(new.pairing.id, hash_code(new.code))]
    assert new.code not in rows[0].code_hash


def test_no_two_codes_are_alike() -> None:
    assert len({new_code() for _ in range(100)}) == 100
