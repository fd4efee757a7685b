"""Which store of images the settings want."""

from domain.images.ports import ImageStore
from integrations.images.directory import DirectoryImages
from integrations.settings import Settings


def open_images(settings: Settings) -> ImageStore:
    """The bucket where one is named, else the folder.

    Raises:
        ValueError: the settings name neither.
    """
    if settings.images.bucket:
        # Imported here: boto3 takes a second, and a stack on a folder has no use for it.
        from integrations.images.s3 import S3Images  # noqa: PLC0415

        return S3Images(settings.images)
    if settings.images.folder is None:
        raise ValueError("FITMONITOR_IMAGES__BUCKET is not set")
    return DirectoryImages(settings.images.folder)
