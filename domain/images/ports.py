"""The port of the image store."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from domain.images.model import StoredImage


class ImagesUnavailableError(Exception):
    """The image store does not answer. Can be pickled, so it crosses processes."""


class ImageStore(Protocol):
    """Files by key. Every method may block, and raises `ImagesUnavailableError` if the store does not answer.

    A key is a path of letters, digits, dashes and slashes.
    """

    def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        """Store what `source` has, completely or not at all. Replaces an earlier file."""

    def get(self, key: str) -> StoredImage | None:
        """The file with a key."""

    def exists(self, key: str) -> bool:
        """Whether there is a file with a key."""

    def delete(self, key: str, written_before: datetime | None = None) -> bool:
        """Delete a file, or only if it was last written before a moment. Returns whether there is no file now."""

    def keys(self, prefix: str, written_before: datetime) -> Iterator[str]:
        """The keys with a prefix that were last written before a moment."""

    def address(self, key: str, lifetime: timedelta) -> str | None:
        """A URL by which a browser gets the file from the store for a limited time; None if the store has none."""
