"""The service of members' pictures."""

from uuid import UUID

from sqlalchemy import Connection

from deployments.gym.image_publisher import ImagePublisher
from domain.identity.model import IdentityRefusal
from domain.identity.repository import UserRepository
from domain.identity.service import UNKNOWN_USER
from domain.images.model import PICTURE_ADDRESS, ImagePrefix, ImageRefusal, picture_address
from domain.unit_of_work import Store


class PictureService:
    """Pictures of members."""

    def __init__(self, store: Store, publisher: ImagePublisher) -> None:
        self._store = store
        self._publisher = publisher

    def set(self, user_id: UUID, upload: str) -> str | ImageRefusal | IdentityRefusal:
        """Publish an upload as the picture of a member; returns its URL path."""
        name = self._publisher.publish(upload, ImagePrefix.MEMBERS)
        return name if isinstance(name, ImageRefusal) else self._show(user_id, picture_address(name))

    def remove(self, user_id: UUID) -> IdentityRefusal | None:
        """Show a member without a picture. The next sweep deletes the file."""
        shown = self._show(user_id, None)
        return shown if isinstance(shown, IdentityRefusal) else None

    def picture_of(self, user_id: UUID) -> str | None:
        """The name of a member's picture."""
        with self._store.reading() as connection:
            user = UserRepository(connection).user(user_id)
        address = user.picture_url if user else None
        return address.removeprefix(PICTURE_ADDRESS) if address and address.startswith(PICTURE_ADDRESS) else None

    def _show(self, user_id: UUID, address: str | None) -> str | IdentityRefusal:
        def show(connection: Connection) -> str | IdentityRefusal:
            users = UserRepository(connection)
            user = users.locked_user(user_id)
            if user is None or user.deleted_at is not None:
                return UNKNOWN_USER
            users.change(user_id, picture_url=address)
            return address or ""

        return self._store.written(show)
