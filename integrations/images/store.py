"""Chooses the image store from the settings."""

from domain.images.ports import ImageStore
from integrations.images.filesystem import DirectoryImageStore
from integrations.settings import Settings


def open_image_store(settings: Settings) -> ImageStore:
    """Open the bucket if one is set, otherwise the folder.

    Raises:
        ValueError: neither is set.
    """
    if settings.images.bucket:
        # boto3 takes a second to import, and a stack with a folder does not need it.
        from integrations.images.s3 import S3ImageStore  # noqa: PLC0415

        return S3ImageStore(settings.images)
    if settings.images.folder is None:
        raise ValueError("FITMONITOR_IMAGES__BUCKET is not set")
    return DirectoryImageStore(settings.images.folder)
