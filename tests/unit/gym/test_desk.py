"""The Gym's own answers, where they differ from what the gateway's tests see."""

import pickle
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from deployments.gym.desk import GymDesk
from deployments.service_host import DatabaseUnavailableError
from domain.gyms.model import Gate, GymProblem, GymRefusal, NewDevice, Serves
from domain.gyms.rules import read_credential, secret_matches
from domain.ids import new_id
from domain.paging import PageRequest
from domain.unit_of_work import Store
from tests.world import World


@pytest.fixture
def desk(world: World) -> GymDesk:
    return GymDesk(world.store, world.clock)


def test_a_database_that_is_away_is_said_plainly() -> None:
    desk = GymDesk(Store("mysql+pymysql://nobody@127.0.0.1:1/nothing"))
    assert desk.ping()
    for question in (desk.ping_database, lambda: desk.gym(new_id()), lambda: desk.revoke_device(new_id())):
        with pytest.raises(DatabaseUnavailableError) as away:
            question()
        assert isinstance(pickle.loads(pickle.dumps(away.value)), DatabaseUnavailableError)  # noqa: S301 - our own


def test_a_locked_database_is_away(world: World, desk: GymDesk) -> None:
    holder = sqlite3.connect(str(world.store.engine.url.database), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with world.store.engine.connect() as connection:
        connection.execute(text("PRAGMA busy_timeout=10"))
    with pytest.raises(DatabaseUnavailableError):
        desk.create_gate(new_id(), "x", Serves.IN)
    holder.close()


def test_gates_of_one_name_asked_for_at_once_become_one(world: World, desk: GymDesk) -> None:
    gym = world.gym()
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: desk.create_gate(gym, "Front", Serves.BOTH), range(8)))
    assert sum(isinstance(one, Gate) for one in made) == 1
    assert {one.problem for one in made if isinstance(one, GymRefusal)} == {GymProblem.GATE_NAME_TAKEN}


def test_the_gate_of_a_retired_gym_is_found_by_its_number_as_it_still_lets_people_out(
    world: World, desk: GymDesk
) -> None:
    gate = desk.create_gate(world.gym(), "Front", Serves.BOTH)
    assert isinstance(gate, Gate)
    world.change_gym(gate.gym_id, retired_at=world.clock.now)
    assert desk.gate_of_numbered_gym(1) == gate


def test_what_is_kept_of_a_secret_recognises_it_and_does_not_show_it(world: World, desk: GymDesk) -> None:
    gate = desk.create_gate(world.gym(), "Front", Serves.BOTH)
    assert isinstance(gate, Gate)
    made = desk.create_device(gate.id, "Reader")
    assert isinstance(made, NewDevice)
    read = read_credential(made.credential)
    assert read is not None
    device_id, secret = read
    key = desk.device_keys([device_id, new_id()])[device_id]
    assert (key.gate_id, key.gym_id) == (gate.id, gate.gym_id)
    assert secret not in key.secret_hash
    assert secret_matches(secret, key.secret_hash)
    assert not secret_matches(secret + "x", key.secret_hash)
    assert not secret_matches("ä", key.secret_hash)
    desk.revoke_device(device_id)
    assert desk.device_keys([device_id]) == {}


@pytest.mark.parametrize("credential", ["", ".", "x.y", f"{UUID(int=1)}", f"{UUID(int=1)}.", f".{UUID(int=1)}"])
def test_what_is_no_credential_is_none(credential: str) -> None:
    assert read_credential(credential) is None


def test_pages_join_without_gap_or_repeat(world: World, desk: GymDesk) -> None:
    ids = [world.gym() for _ in range(7)]
    for limit in range(1, 9):
        seen: list[UUID] = []
        after = None
        while True:
            page = desk.gyms(PageRequest(limit, after))
            seen += [gym.id for gym in page.items]
            after = page.next
            if after is None:
                break
        assert seen == ids
