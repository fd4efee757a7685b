"""The store of images as the domain sees it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from domain.images.model import StoredImage


class ImagesAwayError(Exception):
    """The store of images cannot be had for now. Plain, so that it crosses processes."""


class ImageStore(Protocol):
    """Files under keys. Every method may block, and raises `ImagesAwayError` while the store cannot be had.

    A key is a path of letters, digits, dashes and slashes.
    """

    def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        """Keep what is read from `source`, whole or not at all; what was under the key before is replaced."""

    def get(self, key: str) -> StoredImage | None:
        """What is kept under a key."""

    def exists(self, key: str) -> bool:
        """Whether something is kept under a key."""

    def delete(self, key: str, written_before: datetime | None = None) -> bool:
        """Forget a key, or only if it was last written before then. Whether nothing is kept under it now."""

    def keys(self, prefix: str, written_before: datetime) -> Iterator[str]:
        """The keys that begin so and were last written before then."""

    def address(self, key: str, lifetime: timedelta) -> str | None:
        """Where a browser gets it without us for so long; None where there is no such address."""
