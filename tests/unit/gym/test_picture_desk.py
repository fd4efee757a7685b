"""Pictures at the Gym, where they differ from what the gateway's tests see."""

import pickle
from io import BytesIO
from pathlib import Path

import pytest

from deployments.gym.desk import GymDesk
from domain.gyms.machines import Machine, MachineFilter, MachineText
from domain.gyms.model import GymRefusal
from domain.identity.model import IdentityRefusal
from domain.ids import new_id
from domain.images import ImageProblem, ImageRefusal, ImagesAwayError, StoredImage
from domain.paging import PageRequest
from integrations.images.directory import DirectoryImageStore
from integrations.settings import ImageSettings
from tests.unit.images.drawn import file_of, halves
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


def test_without_a_store_no_picture_is_taken(world: World) -> None:
    assert problem(GymDesk(world.store).create_machine(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGES_AWAY


def test_an_upload_that_was_given_up_makes_no_machine(world: World, images: DirectoryImageStore) -> None:
    desk = GymDesk(world.store, world.clock, images=images)
    images.delete(UPLOAD)
    assert problem(desk.create_machine(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGE_UNREADABLE


def test_how_many_points_are_taken_is_a_setting(world: World, images: DirectoryImageStore) -> None:
    desk = GymDesk(world.store, world.clock, images=images, image_settings=ImageSettings(max_pixels=100))
    assert problem(desk.create_machine(world.gym(), TEXT, UPLOAD)) is ImageProblem.IMAGE_UNREADABLE


def test_a_gym_that_retires_while_its_picture_is_made_gets_no_machine(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()

    class Retires(DirectoryImageStore):
        def get(self, key: str) -> StoredImage | None:
            world.change_gym(gym, retired_at=world.clock())
            return images.get(key)

    desk = GymDesk(world.store, world.clock, images=Retires(images._folder))  # noqa: SLF001 - the same one
    answer = desk.create_machine(gym, TEXT, UPLOAD)
    assert not isinstance(answer, Machine | ImageRefusal)
    assert answer.problem == "unknown_gym"


def test_no_more_pictures_are_made_anew_at_once_than_there_is_memory_for(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()
    desk = GymDesk(world.store, world.clock, images=images)
    desk.wait_for_bench_s = 0.01
    benches = [desk.bench(), desk.bench()]
    assert [bench.__enter__() for bench in benches] == [True, True]
    assert problem(desk.create_machine(gym, TEXT, UPLOAD)) is ImageProblem.BUSY
    benches[0].__exit__(None, None, None)
    for _ in range(2):
        assert isinstance(desk.create_machine(gym, TEXT, UPLOAD), Machine)
    benches[1].__exit__(None, None, None)


def test_nothing_is_made_of_a_picture_for_which_nobody_waits_any_more(
    world: World, images: DirectoryImageStore
) -> None:
    gym = world.gym()
    desk = GymDesk(world.store, world.clock, images=images)
    desk.publish_within_s = 0
    assert problem(desk.create_machine(gym, TEXT, UPLOAD)) is ImageProblem.IMAGES_AWAY
    listed = desk.machines(gym, MachineFilter(), PageRequest())
    assert not isinstance(listed, GymRefusal)
    assert listed.items == ()


def test_whoever_is_not_there_any_more_gets_no_picture(world: World, images: DirectoryImageStore) -> None:
    desk = GymDesk(world.store, world.clock, images=images)
    assert isinstance(desk.set_picture(new_id(), UPLOAD), IdentityRefusal)
    assert desk.picture_of(new_id()) is None


def test_answers_and_failures_cross_processes(world: World, images: DirectoryImageStore) -> None:
    desk = GymDesk(world.store, world.clock, images=images)
    made = desk.create_machine(world.gym(), TEXT, UPLOAD)
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
    assert str(pickle.loads(pickle.dumps(ImagesAwayError("x")))) == "x"  # noqa: S301 - our own
