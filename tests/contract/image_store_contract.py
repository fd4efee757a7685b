"""What every store of images does."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

from domain.images.model import StoredImage
from domain.images.ports import ImageStore

LONG_AGO, LATER = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=2)
KEY = "images/0a1b/large"
WEBP = "image/webp"


class ImageStoreContract:
    """A fixture `images` has the store, empty."""

    def test_what_is_put_is_there_with_its_type(self, images: ImageStore) -> None:
        for key, content_type in ((KEY, WEBP), ("quarantine/1", "application/octet-stream")):
            images.put(key, BytesIO(b"points"), content_type)
            assert images.get(key) == StoredImage(b"points", content_type)
            assert images.exists(key)

    def test_what_was_never_put_is_not_there(self, images: ImageStore) -> None:
        images.put(KEY, BytesIO(b"points"), WEBP)
        for key in ("images/0a1b", "images/0a1b/small", "images/0a1", "other"):
            assert images.get(key) is None
            assert not images.exists(key)

    def test_a_file_of_many_pieces_arrives_whole(self, images: ImageStore) -> None:
        data = bytes(range(256)) * 4096 * 8  # 8 MiB
        images.put(KEY, BytesIO(data), WEBP)
        assert images.get(KEY) == StoredImage(data, WEBP)

    def test_an_empty_file_is_a_file(self, images: ImageStore) -> None:
        images.put(KEY, BytesIO(), WEBP)
        assert images.get(KEY) == StoredImage(b"", WEBP)

    def test_the_file_is_read_from_where_it_stands_and_stays_open(self, images: ImageStore) -> None:
        source = BytesIO(b"skipped|points")
        source.seek(8)
        images.put(KEY, source, WEBP)
        assert images.get(KEY) == StoredImage(b"points", WEBP)
        assert not source.closed

    def test_putting_again_replaces_what_was_there_and_its_type(self, images: ImageStore) -> None:
        images.put(KEY, BytesIO(b"before"), "application/octet-stream")
        images.put(KEY, BytesIO(b"after"), WEBP)
        assert images.get(KEY) == StoredImage(b"after", WEBP)
        assert list(images.keys("", LATER)) == [KEY]

    def test_deleting_is_for_good_and_once_more_changes_nothing(self, images: ImageStore) -> None:
        images.put(KEY, BytesIO(b"points"), WEBP)
        assert images.delete(KEY)
        assert images.get(KEY) is None
        assert images.delete(KEY)

    def test_what_was_written_since_is_not_deleted(self, images: ImageStore) -> None:
        images.put(KEY, BytesIO(b"points"), WEBP)
        assert not images.delete(KEY, LONG_AGO)
        assert images.exists(KEY)
        assert images.delete(KEY, LATER)
        assert not images.exists(KEY)
        assert images.delete(KEY, LATER)

    def test_keys_are_listed_by_how_they_begin_and_by_age(self, images: ImageStore) -> None:
        for key in ("images/a/large", "images/a/small", "pictures/a/large", "quarantine/1"):
            images.put(key, BytesIO(b"points"), WEBP)
        assert sorted(images.keys("images/", LATER)) == ["images/a/large", "images/a/small"]
        assert list(images.keys("quarantine/", LATER)) == ["quarantine/1"]
        assert list(images.keys("images/", LONG_AGO)) == []
        assert list(images.keys("nothing/", LATER)) == []
