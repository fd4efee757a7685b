"""Pictures at the Gym, where they differ from what the gateway's tests see."""

import pickle
from io import BytesIO
from pathlib import Path

import pytest

from deployments.gym.image_publisher import ImagePublisher
from deployments.gym.services import GymServices, gym_services
from domain.gyms.model import GymRefusal
from domain.identity.model import IdentityRefusal
from domain.ids import new_id
from domain.images.model import ImageProblem, ImageRefusal, StoredImage
from domain.images.ports import ImagesUnavailableError
from domain.machines.model import Machine, MachineFilter, MachineText
from domain.paging import PageRequest
from integrations.images.filesystem import DirectoryImageStore
from integrations.settings import ImageSettings
from tests.sample_pictures import file_of, halves
from tests.world import World

TEXT = MachineText("Bench", "bench")
UPLOAD = "quarantine/1"


@pytest.fixture
def images(tmp_path: Path) -> DirectoryImageStore:
    images = DirectoryImageStore(tmp_path / "images")
    images.put(UPLOAD, BytesIO(file_of(halves())), "application/octet-stream")
    return images


def problem(answer: object) -> ImageProblem:
    assert isinstance(answer, ImageRefusal), answer
    return answer.problem


def publisher_of(services: GymServices) -> ImagePublisher:
    return services.machines._publisher  # noqa: SLF001 - to hold its slots


def test_without_a_store_no_picture_is_taken(world: World) -> None:
    assert problem(gym_services(world.store).machines.create(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGES_AWAY


def test_an_upload_that_was_given_up_makes_no_machine(world: World, images: DirectoryImageStore) -> None:
    services = gym_services(world.store, world.clock, images=images)
    images.delete(UPLOAD)
    assert problem(services.machines.create(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGE_UNREADABLE


def test_how_many_points_are_taken_is_a_setting(world: World, images: DirectoryImageStore) -> None:
    services = gym_services(world.store, world.clock, images=images, image_settings=ImageSettings(max_pixels=100))
    assert problem(services.machines.create(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGE_UNREADABLE


def test_a_gym_that_retires_while_its_picture_is_made_gets_no_machine(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()

    class Retires(DirectoryImageStore):
        def get(self, key: str) -> StoredImage | None:
            world.change_gym(gym, retired_at=world.clock())
            return images.get(key)

    services = gym_services(world.store, world.clock, images=Retires(images._folder))  # noqa: SLF001 - the same one
    answer = services.machines.create(gym, TEXT, UPLOAD)
    assert not isinstance(answer, Machine | ImageRefusal)
    assert answer.problem == "unknown_gym"


def test_no_more_pictures_are_made_anew_at_once_than_there_is_memory_for(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()
    services = gym_services(world.store, world.clock, images=images)
    publisher = publisher_of(services)
    publisher.wait_for_slot_s = 0.01
    slots = [publisher.slot(), publisher.slot()]
    assert [slot.__enter__() for slot in slots] == [True, True]
    assert problem(services.machines.create(gym, TEXT, UPLOAD)) is ImageProblem.BUSY
    slots[0].__exit__(None, None, None)
    for _ in range(2):
        assert isinstance(services.machines.create(gym, TEXT, UPLOAD), Machine)
    slots[1].__exit__(None, None, None)


def test_nothing_is_made_of_a_picture_for_which_nobody_waits_any_more(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()
    services = gym_services(world.store, world.clock, images=images)
    publisher_of(services).publish_within_s = 0
    assert problem(services.machines.create(gym, TEXT, UPLOAD)) is ImageProblem.IMAGES_AWAY
    listed = services.machines.machines(gym, MachineFilter(), PageRequest())
    assert not isinstance(listed, GymRefusal)
    assert listed.items == ()


def test_whoever_is_not_there_any_more_gets_no_picture(world: World, images: DirectoryImageStore) -> None:
    services = gym_services(world.store, world.clock, images=images)
    assert isinstance(services.pictures.set(new_id(), UPLOAD), IdentityRefusal)
    assert services.pictures.picture_of(new_id()) is None


def test_answers_and_failures_cross_processes(world: World, images: DirectoryImageStore) -> None:
    services = gym_services(world.store, world.clock, images=images)
    made = services.machines.create(world.gym(), TEXT, UPLOAD)
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
    assert str(pickle.loads(pickle.dumps(ImagesUnavailableError("x")))) == "x"  # noqa: S301 - our own
