"""S3 of the full profile: moto's server, in memory."""

import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from cluster.local.ports import LOOPBACK, is_free
from cluster.local.process import ChildProcess
from domain.images.ports import ImagesUnavailableError
from integrations.settings import ImageSettings

_BUCKET = "fitmonitor-images"
_REGION = "eu-west-1"
# Nobody's: the server is on this machine, and takes any.
_KEY_ID, _KEY = "local", "local"


class ImageServer:
    """Pictures of the full profile. They live as long as the server: where it ends, machines are without theirs.

    Args:
        log_file: of its output.
        port: where it listens.
    """

    keeps_address = True

    def __init__(self, log_file: Path, port: int) -> None:
        self._port = port
        command: list[str | Path] = [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)]
        self.process = ChildProcess("image server", command, log_file, folder=log_file.parent, patience_s=5)

    def launch(self) -> None:
        """Start it without waiting."""
        self.process.start()

    def wait(self) -> None:
        """Wait until it listens, and make the bucket, which it has forgotten."""
        self.process.wait_until(lambda: not is_free(self._port), timeout_s=60)
        make_bucket(self.settings)

    @property
    def settings(self) -> ImageSettings:
        """What finds it."""
        return ImageSettings(
            bucket=_BUCKET,
            region=_REGION,
            endpoint_url=f"http://{LOOPBACK}:{self._port}",
            access_key_id=_KEY_ID,
            secret_access_key=SecretStr(_KEY),
        )

    def environment(self) -> Mapping[str, str]:
        """Where it listens, and keys that open nothing else."""
        own = self.settings
        return {
            "FITMONITOR_IMAGES__BUCKET": own.bucket,
            "FITMONITOR_IMAGES__REGION": own.region,
            "FITMONITOR_IMAGES__ENDPOINT_URL": own.endpoint_url,
            "FITMONITOR_IMAGES__ACCESS_KEY_ID": own.access_key_id,
            "FITMONITOR_IMAGES__SECRET_ACCESS_KEY": own.secret_access_key.get_secret_value(),
        }


def make_bucket(settings: ImageSettings) -> None:
    """Make the bucket of a server that has none; once more changes nothing.

    Raises:
        ImagesUnavailableError: the server cannot be asked.
    """
    # Imported here: boto3 takes a second, which every other stack would wait for in its supervisor.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from integrations.images.s3 import open_s3  # noqa: PLC0415

    client = open_s3(settings)
    try:
        client.create_bucket(Bucket=settings.bucket, CreateBucketConfiguration={"LocationConstraint": settings.region})
    except client.exceptions.BucketAlreadyOwnedByYou:
        return
    except (BotoCoreError, ClientError) as error:
        raise ImagesUnavailableError(f"the bucket cannot be made ({type(error).__name__})") from error
