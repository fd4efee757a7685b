"""The Gym's own answers, where they differ from what the gateway's tests see."""

import pickle
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from deployments.gym.devices import DeviceService
from deployments.gym.gates import GateService
from deployments.gym.gyms import GymService
from deployments.gym.services import GymServices, gym_services
from deployments.service_host import DatabaseUnavailableError, HealthService, ServiceHost, name_of
from domain.gyms.model import Gate, GateDirections, GymProblem, GymRefusal, NewDevice
from domain.gyms.rules import read_credential, secret_matches
from domain.ids import new_id
from domain.paging import PageRequest
from domain.unit_of_work import Store
from tests.world import World


@pytest.fixture
def services(world: World) -> GymServices:
    return gym_services(world.store, world.clock)


def test_an_unavailable_database_is_reported_in_one_line() -> None:
    services = gym_services(Store("mysql+pymysql://nobody@127.0.0.1:1/nothing"))
    host = ServiceHost(services)
    assert host.call(name_of(HealthService.ping))
    for method, *args in (
        (HealthService.ping_database,),
        (GymService.gym, new_id()),
        (DeviceService.revoke, new_id()),
    ):
        with pytest.raises(DatabaseUnavailableError) as away:
            host.call(name_of(method), *args)
        assert isinstance(pickle.loads(pickle.dumps(away.value)), DatabaseUnavailableError)  # noqa: S301 - our own


def test_a_locked_database_is_unavailable(world: World, services: GymServices) -> None:
    holder = sqlite3.connect(str(world.store.engine.url.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with world.store.engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with pytest.raises(DatabaseUnavailableError):
        ServiceHost(services).call(name_of(GateService.create), new_id(), "x", GateDirections.IN)
    holder.close()


def test_gates_of_one_name_asked_for_at_once_become_one(world: World, services: GymServices) -> None:
    gym = world.gym()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: services.gates.create(gym, "Front", GateDirections.BOTH), range(8)))
    assert sum(isinstance(one, Gate) for one in made) == 1
    assert {one.problem for one in made if isinstance(one, GymRefusal)} == {GymProblem.GATE_NAME_TAKEN}


def test_the_gate_of_a_retired_gym_is_found_by_its_number_as_it_still_lets_people_out(
    world: World, services: GymServices
) -> None:
    gate = services.gates.create(world.gym(), "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    world.change_gym(gate.gym_id, retired_at=world.clock.now)
    assert services.gates.gate_of_numbered_gym(1) == gate


def test_what_is_kept_of_a_secret_recognises_it_and_does_not_show_it(world: World, services: GymServices) -> None:
    gate = services.gates.create(world.gym(), "Front", GateDirections.BOTH)
    assert isinstance(gate, Gate)
    made = services.devices.create(gate.id, "Reader")
    assert isinstance(made, NewDevice)
    read = read_credential(made.credential)
    assert read is not None
    device_id, secret = read
    key = services.devices.keys([device_id, new_id()])[device_id]
    assert (key.gate_id, key.gym_id) == (gate.id, gate.gym_id)
    assert secret not in key.secret_hash
    assert secret_matches(secret, key.secret_hash)
    assert not secret_matches(secret + "x", key.secret_hash)
    assert not secret_matches("ä", key.secret_hash)
    services.devices.revoke(device_id)
    assert services.devices.keys([device_id]) == {}


@pytest.mark.parametrize("credential", ["", ".", "x.y", f"{UUID(int=1)}", f"{UUID(int=1)}.", f".{UUID(int=1)}"])
def test_what_is_no_credential_is_none(credential: str) -> None:
    assert read_credential(credential) is None


def test_pages_join_without_gap_or_repeat(world: World, services: GymServices) -> None:
    ids = [world.gym() for _ in range(7)]
    for limit in range(1, 9):
        seen: list[UUID] = []
        after = None
        while True:
            page = services.gyms.gyms(PageRequest(limit, after))
            seen += [gym.id for gym in page.items]
            after = page.next
            if after is None:
                break
        assert seen == ids
