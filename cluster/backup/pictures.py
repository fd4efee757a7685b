"""The pictures that rows show: copied from the image store into a backup, and back."""

import io
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from cluster.backup.manifest import Member
from cluster.backup.progress import Progress
from cluster.backup.reader import BackupFile
from cluster.backup.snapshot import ROWS_PER_READ
from cluster.backup.writer import BackupWriter
from cluster.errors import CommandError
from domain.identity.tables import users
from domain.images.model import PICTURE_ADDRESS, ImagePrefix, Size, image_key
from domain.images.ports import ImageStore, ImagesUnavailableError
from domain.machines.tables import machines

_FOLDER = "pictures/"
_HINT = "check FITMONITOR_IMAGES__BUCKET and its keys, or the folder FITMONITOR_IMAGES__FOLDER, and try again"


def copy_pictures(
    connection: Connection, images: ImageStore, writer: BackupWriter, progress: Progress
) -> tuple[Sequence[Member], Sequence[str]]:
    """Copy every picture that the snapshot shows into a backup.

    A picture is stored before its row. It is missing only if it was replaced and swept since, or was lost.

    Returns:
        The copied files, and the keys of missing pictures.

    Raises:
        CommandError: the image store is unavailable.
    """
    copied, missing = [], []
    try:
        for key in _shown_keys(connection):
            found = images.get(key)
            if found is None:
                missing.append(key)
                continue
            copied.append(writer.add(_FOLDER + key, [found.data], found.content_type))
            progress("pictures", 1)
    except ImagesUnavailableError as error:
        raise CommandError(str(error), _HINT) from error
    return copied, missing


def pictures_in(backup: BackupFile) -> Sequence[Member]:
    """The pictures of a backup."""
    return [member for member in backup.manifest.files if member.name.startswith(_FOLDER)]


def restore_pictures(backup: BackupFile, images: ImageStore, progress: Progress) -> int:
    """Copy every picture of a backup into an image store. Idempotent: a key is derived from the content.

    Returns:
        The number of pictures.

    Raises:
        CommandError: the image store is unavailable.
    """
    members = pictures_in(backup)
    try:
        for member in members:
            key = member.name.removeprefix(_FOLDER)
            images.put(key, io.BytesIO(backup.whole(member)), member.content_type)
            progress("pictures", 1)
    except ImagesUnavailableError as error:
        raise CommandError(str(error), _HINT) from error
    return len(members)


def _shown_keys(connection: Connection) -> Iterator[str]:
    streaming = {"stream_results": True, "yield_per": ROWS_PER_READ}
    pictures = users.c.picture_url.startswith(PICTURE_ADDRESS, autoescape=True)
    for prefix, query in (
        (ImagePrefix.MACHINES, select(machines.c.image).where(machines.c.image.is_not(None)).distinct()),
        (ImagePrefix.MEMBERS, select(users.c.picture_url).where(pictures).distinct()),
    ):
        with connection.execute(query, execution_options=streaming) as result:
            for name in result.scalars():
                for size in Size:
                    yield image_key(prefix, str(name).removeprefix(PICTURE_ADDRESS), size)
