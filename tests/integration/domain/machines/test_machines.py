"""Machines on each database: numbers under haste, edits at once, lists, a deletion while somebody begins."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import insert

from deployments.gym.services import GymServices, gym_services
from domain.door.tables import open_machine_uses
from domain.gyms.model import GymProblem, GymRefusal
from domain.gyms.tables import gyms
from domain.ids import new_id
from domain.images.model import ImagePrefix
from domain.images.repository import shown_names
from domain.machines.model import Machine, MachineChange, MachineFilter, MachineText
from domain.paging import PageRequest
from domain.unit_of_work import Store
from integrations.images.filesystem import DirectoryImageStore
from tests.sample_pictures import file_of, halves
from tests.world import START, World

TEXT = MachineText("Bench", "Bench", "To lie on.")
EVERYONE = 4


@pytest.fixture
def hasty(store_url: str) -> Iterator[Store]:
    """A store whose connections outnumber those who hurry."""
    store = Store(store_url, pool_size=EVERYONE + 1)
    yield store
    store.close()


@pytest.fixture
def services(hasty: Store, world: World, tmp_path: Path) -> GymServices:
    images = DirectoryImageStore(tmp_path / "images")
    images.put("quarantine/1", BytesIO(file_of(halves())), "application/octet-stream")
    return gym_services(hasty, world.clock, images=images)


def machine(services: GymServices, gym: UUID) -> Machine:
    made = services.machines.create(gym, TEXT, "quarantine/1")
    assert isinstance(made, Machine), made
    return made


def test_machines_put_up_at_once_get_numbers_of_their_own(world: World, services: GymServices) -> None:
    places = [world.gym(), world.gym()]
    with ThreadPoolExecutor(EVERYONE) as threads:
        made = list(threads.map(lambda number: machine(services, places[number % 2]), range(8)))
    assert sorted(one.legacy_number for one in made) == list(range(1, 9))


def test_of_two_edits_that_began_alike_one_is_refused(world: World, services: GymServices) -> None:
    made = machine(services, world.gym())
    with ThreadPoolExecutor(EVERYONE) as threads:
        answers = list(
            threads.map(lambda name: services.machines.edit(made.id, MachineChange(name=name), made.version), "ABCD")
        )
    assert [answer.problem for answer in answers if isinstance(answer, GymRefusal)] == [
        GymProblem.CHANGED_MEANWHILE
    ] * 3
    assert [answer.version for answer in answers if isinstance(answer, Machine)] == [2]


def test_a_machine_that_somebody_begins_to_use_meanwhile_is_not_deleted(
    world: World, services: GymServices, hasty: Store
) -> None:
    gym = world.gym()
    made = machine(services, gym)
    held = Barrier(2)

    def begin() -> None:
        with hasty.writing() as connection:
            connection.execute(gyms.select().where(gyms.c.id == gym).with_for_update())
            held.wait(10)
            connection.execute(
                insert(open_machine_uses).values(
                    machine_id=made.id,
                    use_id=new_id(),
                    gym_id=gym,
                    member_id=new_id(),
                    visit_id=new_id(),
                    started_at=START,
                )
            )

    with ThreadPoolExecutor(2) as threads:
        begun = threads.submit(begin)
        held.wait(10)
        deleted = services.machines.delete(made.id, None)
        begun.result()
    assert isinstance(deleted, GymRefusal)
    assert deleted.problem is GymProblem.MACHINE_IN_USE


def test_lists_are_the_same_on_every_database(world: World, services: GymServices, hasty: Store) -> None:
    gym = world.gym()
    first, second = machine(services, gym), machine(services, gym)
    services.machines.set_out_of_order(second.id, "squeaks")

    def listed(wanted: MachineFilter) -> list[UUID]:
        page = services.machines.machines(gym, wanted, PageRequest())
        assert not isinstance(page, GymRefusal)
        return [one.id for one in page.items]

    assert listed(MachineFilter(type="bENCH")) == [first.id, second.id]
    assert listed(MachineFilter(type="other")) == []
    renamed = services.machines.edit(second.id, MachineChange(type="Ruderger\u00e4t"), None)
    assert not isinstance(renamed, GymRefusal)
    for typed in ("RUDERGERA\u0308T", "rudergerat", " Ruderger\u00e4t"):
        assert listed(MachineFilter(type=typed)) == [second.id]
    assert listed(MachineFilter(type="bench")) == [first.id]
    assert listed(MachineFilter(free=True)) == [first.id]
    assert listed(MachineFilter(free=False)) == [second.id]
    with hasty.reading() as connection:
        assert first.image is not None
        assert shown_names(connection, ImagePrefix.MACHINES, [first.image, "0" * 64]) == {first.image}
        assert shown_names(connection, ImagePrefix.MEMBERS, [first.image]) == set()
