"""Image store in a bucket of S3 or a compatible server."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from domain.images.model import StoredImage
from domain.images.ports import ImagesUnavailableError
from integrations.settings import ImageSettings

# Two attempts of at most 2 + 5 s: a quick 503 is better than a long wait for a picture.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    signature_version="s3v4",
    max_pool_connections=32,
)
_MISSING = {"404", "NoSuchKey", "NotFound"}


class S3ImageStore:
    """One object per image, encrypted by the server (AES-256). See `domain.images.ImageStore`.

    Args:
        settings: the bucket and its endpoint. Without keys, credentials come from the environment.
    """

    keys_at_once = 1000  # S3's own limit

    def __init__(self, settings: ImageSettings) -> None:
        self._bucket = settings.bucket
        self._client = open_s3(settings)

    def put(self, key: str, source: BinaryIO, content_type: str) -> None:
        """See `ImageStore`."""
        with _translate_errors():
            self._client.put_object(
                Bucket=self._bucket, Key=key, Body=source, ContentType=content_type, ServerSideEncryption="AES256"
            )

    def get(self, key: str) -> StoredImage | None:
        """See `ImageStore`."""
        with _translate_errors():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=key)
                return StoredImage(found["Body"].read(), found["ContentType"])
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise

    def exists(self, key: str) -> bool:
        """See `ImageStore`."""
        return self._written_at(key) is not None

    def delete(self, key: str, written_before: datetime | None = None) -> bool:
        """See `ImageStore`."""
        if written_before is not None:
            written_at = self._written_at(key)
            if written_at is not None and written_at >= written_before:
                return False
        with _translate_errors():
            self._client.delete_object(Bucket=self._bucket, Key=key)
        return True

    def keys(self, prefix: str, written_before: datetime) -> Iterator[str]:
        """See `ImageStore`."""
        with _translate_errors():
            pages = self._client.get_paginator("list_objects_v2")
            size = {"PageSize": self.keys_at_once}
            for part in pages.paginate(Bucket=self._bucket, Prefix=prefix, PaginationConfig=size):
                for each in part.get("Contents", ()):
                    if each["LastModified"] < written_before:
                        yield each["Key"]

    def address(self, key: str, lifetime: timedelta) -> str | None:
        """See `ImageStore`."""
        with _translate_errors():
            address: str = self._client.generate_presigned_url(
                "get_object", {"Bucket": self._bucket, "Key": key}, ExpiresIn=int(lifetime.total_seconds())
            )
            return address

    def _written_at(self, key: str) -> datetime | None:
        with _translate_errors():
            try:
                written_at: datetime = self._client.head_object(Bucket=self._bucket, Key=key)["LastModified"]
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise
            return written_at


def open_s3(settings: ImageSettings) -> Any:  # noqa: ANN401 - boto3 has no types
    """Open a client of the configured endpoint."""
    return boto3.client(
        "s3",
        region_name=settings.region or None,
        endpoint_url=settings.endpoint_url or None,
        aws_access_key_id=settings.access_key_id or None,
        aws_secret_access_key=settings.secret_access_key.get_secret_value() or None,
        config=_CONFIG,
    )


def _is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in _MISSING


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        # Without the cause: the text of the client may contain a signed URL.
        raise ImagesUnavailableError(f"Service unavailable: image store ({_name(error)})") from None


def _name(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
