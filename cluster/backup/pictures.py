"""The pictures that rows show, out of the store of images and into one."""

import io
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from cluster.backup.manifest import Member
from cluster.backup.reading import BackupFile, Told
from cluster.backup.snapshot import ROWS_AT_ONCE
from cluster.backup.writing import BackupWriter
from cluster.errors import CommandError
from domain.identity.tables import users
from domain.images.model import PICTURE_ADDRESS, Shelf, Size, image_key
from domain.images.ports import ImageStore, ImagesUnavailableError
from domain.machines.tables import machines

_FOLDER = "pictures/"
_AWAY = "look at FITMONITOR_IMAGES__BUCKET and its keys, or at the folder in FITMONITOR_IMAGES__FOLDER, and try again"


def copy_pictures(
    connection: Connection, images: ImageStore, writer: BackupWriter, told: Told
) -> tuple[Sequence[Member], Sequence[str]]:
    """Put every picture that the snapshot shows into a backup.

    It was in the store before its row was. It can only be missing if it was replaced and swept since, or was lost.

    Returns:
        What was copied, and the keys of what was missing.

    Raises:
        CommandError: the store of images cannot be had.
    """
    copied, missing = [], []
    try:
        for key in _shown(connection):
            found = images.get(key)
            if found is None:
                missing.append(key)
                continue
            copied.append(writer.add(_FOLDER + key, [found.data], found.content_type))
            told("pictures", 1)
    except ImagesUnavailableError as error:
        raise CommandError(str(error), _AWAY) from error
    return copied, missing


def pictures_in(backup: BackupFile) -> Sequence[Member]:
    """The pictures of a backup."""
    return [member for member in backup.manifest.files if member.name.startswith(_FOLDER)]


def put_pictures_back(backup: BackupFile, images: ImageStore, told: Told) -> int:
    """Put every picture of a backup into a store of images; once more changes nothing, for a key says what is in it.

    Returns:
        How many.

    Raises:
        CommandError: the store of images cannot be had.
    """
    members = pictures_in(backup)
    try:
        for member in members:
            key = member.name.removeprefix(_FOLDER)
            images.put(key, io.BytesIO(backup.whole(member)), member.content_type)
            told("pictures", 1)
    except ImagesUnavailableError as error:
        raise CommandError(str(error), _AWAY) from error
    return len(members)


def _shown(connection: Connection) -> Iterator[str]:
    streaming = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    pictures = users.c.picture_url.startswith(PICTURE_ADDRESS, autoescape=True)
    for shelf, query in (
        (Shelf.MACHINES, select(machines.c.image).where(machines.c.image.is_not(None)).distinct()),
        (Shelf.MEMBERS, select(users.c.picture_url).where(pictures).distinct()),
    ):
        with connection.execute(query, execution_options=streaming) as result:
            for name in result.scalars():
                for size in Size:
                    yield image_key(shelf, str(name).removeprefix(PICTURE_ADDRESS), size)
