"""What the Gym deployment does with pictures: looks at what was uploaded, makes it anew, publishes it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from time import monotonic
from uuid import UUID

from deployments.store_desk import StoreDesk
from domain.clock import Clock, system_clock
from domain.identity.model import IdentityRefusal
from domain.identity.repository import UserRepository
from domain.identity.service import UNKNOWN_USER
from domain.images import (
    PICTURE_ADDRESS,
    ImageProblem,
    ImageRefusal,
    ImagesAwayError,
    ImageStore,
    Shelf,
    Size,
    image_key,
    picture_address,
)
from domain.unit_of_work import Store
from integrations.images.encoding import reencode
from integrations.settings import ImageSettings

# A picture of forty million points takes 200 to 370 MB while it is made anew, and Gym has other things to answer.
_AT_ONCE = 2
# The gateway has given up soon after; nothing may be made of a picture that nobody waits for.
_WITHIN_S = 12.0

_AWAY = ImageRefusal(ImageProblem.IMAGES_AWAY, "Pictures cannot be kept for now. Nothing was changed.")
_BUSY = ImageRefusal(ImageProblem.BUSY, "Many pictures come at once. Nothing was changed.")
_GONE = ImageRefusal(ImageProblem.IMAGE_UNREADABLE, "The upload was given up before it was looked at.")


class PictureDesk(StoreDesk):
    """Publishes pictures, of members by itself, for machines on behalf of `MachineDesk`.

    Args:
        store, clock: as in `StoreDesk`.
        images: where pictures are kept; without one every picture is refused as `images_away`.
        image_settings: which are taken.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock = system_clock,
        *,
        images: ImageStore | None = None,
        image_settings: ImageSettings | None = None,
    ) -> None:
        super().__init__(store, clock)
        self._images = images
        self._max_pixels = (image_settings or ImageSettings()).max_pixels
        self.wait_for_bench_s = 2.0
        self.publish_within_s = _WITHIN_S
        self._benches = threading.BoundedSemaphore(_AT_ONCE)

    def set_picture(self, user_id: UUID, upload: str) -> str | ImageRefusal | IdentityRefusal:
        """Give a member the picture that waits in quarantine; its address."""
        name = self._published(upload, Shelf.MEMBERS)
        return name if isinstance(name, ImageRefusal) else self._show(user_id, picture_address(name))

    def remove_picture(self, user_id: UUID) -> IdentityRefusal | None:
        """A member is shown without a picture from now on; the next sweep takes the file."""
        shown = self._show(user_id, None)
        return shown if isinstance(shown, IdentityRefusal) else None

    def picture_of(self, user_id: UUID) -> str | None:
        """The name of a member's picture."""
        with self._reading() as connection:
            user = UserRepository(connection).user(user_id)
        address = user.picture_url if user else None
        return address.removeprefix(PICTURE_ADDRESS) if address and address.startswith(PICTURE_ADDRESS) else None

    def _show(self, user_id: UUID, address: str | None) -> str | IdentityRefusal:
        with self._writing() as connection:
            users = UserRepository(connection)
            user = users.locked_user(user_id)
            if user is None or user.deleted_at is not None:
                return UNKNOWN_USER
            users.change(user_id, picture_url=address)
        return address or ""

    def _published(self, upload: str, shelf: Shelf) -> str | ImageRefusal:
        """The name under which both sizes of an uploaded picture are kept. No transaction is open meanwhile."""
        if self._images is None:
            return _AWAY
        began = monotonic()
        # For all of it, not for the making alone: a store that hangs must not take every thread that Gym has.
        with self.bench() as free:
            if not free:
                return _BUSY
            try:
                name = self._made(self._images, upload, shelf)
            except ImagesAwayError:
                return _AWAY
        return name if monotonic() - began < self.publish_within_s else _AWAY

    def _made(self, images: ImageStore, upload: str, shelf: Shelf) -> str | ImageRefusal:
        uploaded = images.get(upload)
        if uploaded is None:
            return _GONE
        encoded = reencode(uploaded.data, self._max_pixels)
        if isinstance(encoded, ImageRefusal):
            return encoded
        # Also where it is kept already: what was written just now is in no sweep.
        for size, data in ((Size.SMALL, encoded.small), (Size.LARGE, encoded.large)):
            images.put(image_key(shelf, encoded.sha256, size), BytesIO(data), encoded.content_type)
        return encoded.sha256

    @contextmanager
    def bench(self) -> Iterator[bool]:
        """Room for one picture to be published, for the length of a `with`; whether there is any."""
        free = self._benches.acquire(timeout=self.wait_for_bench_s)
        try:
            yield free
        finally:
            if free:
                self._benches.release()
