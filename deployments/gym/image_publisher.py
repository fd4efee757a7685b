"""Publishes uploaded pictures: reads an upload from quarantine, encodes it again, stores both sizes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from time import monotonic

from domain.images.model import ImagePrefix, ImageProblem, ImageRefusal, Size, image_key
from domain.images.ports import ImageStore, ImagesUnavailableError
from integrations.images.encoding import reencode

# A picture of forty million pixels takes 200 to 370 MB while it is encoded, and Gym has other requests to answer.
_AT_ONCE = 2
# The gateway gives up soon after this. Nothing is published for a caller that has gone.
_WITHIN_S = 12.0

_UNAVAILABLE = ImageRefusal(ImageProblem.IMAGES_AWAY, "The image store is unavailable. Nothing was changed.")
_BUSY = ImageRefusal(ImageProblem.BUSY, "Too many pictures are being processed. Nothing was changed. Try again.")
_GONE = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The upload has expired. Upload the picture again.")


class ImagePublisher:
    """Publishes pictures, few at once. Safe to share between threads.

    Args:
        images: where pictures are kept; None refuses every picture as `images_away`.
        max_pixels: the largest picture that is accepted.
    """

    def __init__(self, images: ImageStore | None, max_pixels: int) -> None:
        self._images = images
        self._max_pixels = max_pixels
        self.wait_for_slot_s = 2.0
        self.publish_within_s = _WITHIN_S
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def publish(self, upload: str, prefix: ImagePrefix) -> str | ImageRefusal:
        """Publish an upload in both sizes. Call it outside of a transaction.

        Returns:
            The name of the picture.
        """
        if self._images is None:
            return _UNAVAILABLE
        began = monotonic()
        # The slot covers reads and writes of the store too: a store that hangs must not take every thread of Gym.
        with self.slot() as free:
            if not free:
                return _BUSY
            try:
                name = self._encoded(self._images, upload, prefix)
            except ImagesUnavailableError:
                return _UNAVAILABLE
        return name if monotonic() - began < self.publish_within_s else _UNAVAILABLE

    def _encoded(self, images: ImageStore, upload: str, prefix: ImagePrefix) -> str | ImageRefusal:
        uploaded = images.get(upload)
        if uploaded is None:
            return _GONE
        encoded = reencode(uploaded.data, self._max_pixels)
        if isinstance(encoded, ImageRefusal):
            return encoded
        # Written even if it exists: the sweep keeps files that were written a moment ago.
        for size, data in ((Size.SMALL, encoded.small), (Size.LARGE, encoded.large)):
            images.put(image_key(prefix, encoded.sha256, size), BytesIO(data), encoded.content_type)
        return encoded.sha256

    @contextmanager
    def slot(self) -> Iterator[bool]:
        """Hold one of the slots for the length of a `with`; False where none becomes free in time."""
        free = self._slots.acquire(timeout=self.wait_for_slot_s)
        try:
            yield free
        finally:
            if free:
                self._slots.release()
