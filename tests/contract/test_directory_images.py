"""`DirectoryImageStore`, and what only a folder can go wrong with."""

import os
import stat
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from domain.images.ports import ImagesUnavailableError
from integrations.images.filesystem import DirectoryImageStore
from tests.contract.image_store_contract import KEY, LATER, WEBP, ImageStoreContract


@pytest.fixture
def images(tmp_path: Path) -> DirectoryImageStore:
    return DirectoryImageStore(tmp_path / "images")


class TestDirectoryImages(ImageStoreContract):
    pass


class Breaks(BytesIO):
    def read(self, _size: int | None = -1) -> bytes:
        raise OSError(28, "No space left on device")


def test_a_file_that_cannot_be_written_whole_is_not_there(images: DirectoryImageStore, tmp_path: Path) -> None:
    images.put(KEY, BytesIO(b"before"), WEBP)
    with pytest.raises(ImagesUnavailableError, match="No space left"):
        images.put(KEY, Breaks(), WEBP)
    assert [file.name for file in (tmp_path / "images").rglob("*") if file.is_file()] == ["large.webp"]


def test_a_folder_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "in-the-way").write_bytes(b"")
    images = DirectoryImageStore(tmp_path / "in-the-way")
    with pytest.raises(ImagesUnavailableError):
        images.put(KEY, BytesIO(b"points"), WEBP)


def test_pictures_are_their_owner_s_alone(images: DirectoryImageStore, tmp_path: Path) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    assert stat.S_IMODE((tmp_path / "images").stat().st_mode) == 0o700


@pytest.mark.parametrize("key", ["../outside", "images/../../outside", "/etc/outside"])
def test_no_key_leads_out_of_the_folder(images: DirectoryImageStore, key: str) -> None:
    with pytest.raises(ValueError, match="within the store"):
        images.put(key, BytesIO(b"points"), WEBP)
    with pytest.raises(ValueError, match="within the store"):
        images.get(key)


def test_what_a_killed_process_had_begun_is_removed_by_the_next_list(
    images: DirectoryImageStore, tmp_path: Path
) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    begun = tmp_path / "images" / "images" / "0a1b" / "1.new"
    begun.write_bytes(b"poi")
    assert list(images.keys("", LATER)) == [KEY]
    assert not begun.exists()


def test_writing_again_makes_a_file_young_again(images: DirectoryImageStore, tmp_path: Path) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    (file,) = (file for file in (tmp_path / "images").rglob("*") if file.is_file())
    os.utime(file, (0, 0))
    a_day_ago = datetime.now(UTC) - timedelta(days=1)
    assert list(images.keys("", a_day_ago)) == [KEY]
    images.put(KEY, BytesIO(b"points"), WEBP)
    assert list(images.keys("", a_day_ago)) == []


def test_a_folder_has_no_address_for_others(images: DirectoryImageStore) -> None:
    assert images.address(KEY, timedelta(minutes=5)) is None
