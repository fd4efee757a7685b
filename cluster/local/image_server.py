"""S3 of the full profile: the server of moto, in memory."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from cluster.local.ports import LOOPBACK, is_free
from cluster.local.process import ChildProcess
from cluster.local.server import Server
from domain.images.ports import ImagesUnavailableError
from integrations.settings import ImageSettings

_BUCKET = "fitmonitor-images"
_ARCHIVE_BUCKET = "fitmonitor-archive"
_REGION = "eu-west-1"
# The server accepts any key.
_KEY_ID, _KEY = "local", "local"


class ImageServer(Server):
    """Stores pictures and the attendance archive. They are lost when the server ends.

    The archive's consumer then reads again what Kafka still has.

    Args:
        log_file: of its output.
        port: where it listens.
        has_archive: whether the archive is stored here; otherwise the settings say where.
    """

    def __init__(self, log_file: Path, port: int, *, has_archive: bool = False) -> None:
        self._port = port
        self._has_archive = has_archive
        arguments = ["-H", LOOPBACK, "-p", port]
        super().__init__(ChildProcess.of_module("image server", "moto.server", arguments, log_file))

    def wait(self) -> None:
        """Wait until it listens, and create the buckets."""
        self.process.wait_until(lambda: not is_free(self._port), timeout_s=60)
        make_bucket(self.settings)
        if self._has_archive:
            make_bucket(self.settings.model_copy(update={"bucket": _ARCHIVE_BUCKET}))

    @property
    def settings(self) -> ImageSettings:
        """The settings by which it is found."""
        return ImageSettings(
            bucket=_BUCKET,
            region=_REGION,
            endpoint_url=f"http://{LOOPBACK}:{self._port}",
            access_key_id=_KEY_ID,
            secret_access_key=SecretStr(_KEY),
        )

    def environment(self) -> Mapping[str, str]:
        """Return its address and its keys, which are valid nowhere else."""
        own = self.settings
        access = {
            "REGION": own.region,
            "ENDPOINT_URL": own.endpoint_url,
            "ACCESS_KEY_ID": own.access_key_id,
            "SECRET_ACCESS_KEY": own.secret_access_key.get_secret_value(),
        }
        found = {"FITMONITOR_IMAGES__BUCKET": own.bucket}
        found |= {f"FITMONITOR_IMAGES__{name}": value for name, value in access.items()}
        if self._has_archive:
            found["FITMONITOR_ARCHIVE__URL"] = f"s3://{_ARCHIVE_BUCKET}/attendance"
            found |= {f"FITMONITOR_ARCHIVE__{name}": value for name, value in access.items()}
        return found


def make_bucket(settings: ImageSettings) -> None:
    """Create the bucket if it is missing.

    Raises:
        ImagesUnavailableError: the server does not answer.
    """
    # Imported here: boto3 takes a second, which the supervisor of every other stack would wait for.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from integrations.images.s3 import open_s3  # noqa: PLC0415

    client = open_s3(settings)
    try:
        client.create_bucket(Bucket=settings.bucket, CreateBucketConfiguration={"LocationConstraint": settings.region})
    except client.exceptions.BucketAlreadyOwnedByYou:
        return
    except (BotoCoreError, ClientError) as error:
        raise ImagesUnavailableError(f"the bucket cannot be created ({type(error).__name__})") from error
