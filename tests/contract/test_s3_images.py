"""`S3ImageStore` with boto3 against moto's S3, over HTTP.

moto lets anybody in, so that a wrong key is not tested here; and it keeps what is encrypted as it keeps the rest.
"""

from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from cluster.local.image_server import make_bucket
from cluster.local.ports import free_port
from domain.images.ports import ImagesUnavailableError
from integrations.images.s3 import S3ImageStore, open_s3
from integrations.settings import ImageSettings
from tests.contract.image_store_contract import KEY, LATER, WEBP, ImageStoreContract
from tests.moto_server import NOBODYS_KEYS, REGION, moto_server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with moto_server() as url:
        yield url


def settings_of(url: str) -> ImageSettings:
    return ImageSettings(
        bucket=f"images-{uuid4()}",
        region=REGION,
        endpoint_url=url,
        access_key_id=NOBODYS_KEYS["aws_access_key_id"],
        secret_access_key=SecretStr(NOBODYS_KEYS["aws_secret_access_key"]),
    )


@pytest.fixture
def settings(s3: str) -> ImageSettings:
    made = settings_of(s3)
    make_bucket(made)
    return made


@pytest.fixture
def images(settings: ImageSettings) -> S3ImageStore:
    return S3ImageStore(settings)


class TestS3Images(ImageStoreContract):
    pass


def test_what_is_kept_is_encrypted_by_the_server(images: S3ImageStore, settings: ImageSettings) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    head = open_s3(settings).head_object(Bucket=settings.bucket, Key=KEY)
    assert (head["ServerSideEncryption"], head["ContentType"]) == ("AES256", WEBP)


def test_an_address_shows_a_picture_to_whoever_has_it(images: S3ImageStore) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    address = images.address(KEY, timedelta(minutes=5))
    assert address is not None
    assert "X-Amz-Expires=300" in address
    answer = httpx.get(address)
    assert (answer.content, answer.headers["content-type"]) == (b"points", WEBP)


def test_more_keys_than_one_answer_has_are_all_listed(images: S3ImageStore) -> None:
    images.keys_at_once = 2
    for number in range(5):
        images.put(f"images/{number}/large", BytesIO(), WEBP)
    assert len(set(images.keys("images/", LATER))) == 5


def test_making_the_bucket_again_changes_nothing(images: S3ImageStore, settings: ImageSettings) -> None:
    images.put(KEY, BytesIO(b"points"), WEBP)
    make_bucket(settings)
    assert images.exists(KEY)


def test_a_missing_bucket_is_unavailable(s3: str) -> None:
    images = S3ImageStore(settings_of(s3))
    with pytest.raises(ImagesUnavailableError, match="NoSuchBucket"):
        images.put(KEY, BytesIO(b"points"), WEBP)
    with pytest.raises(ImagesUnavailableError):
        images.get(KEY)
    with pytest.raises(ImagesUnavailableError):
        list(images.keys("", LATER))


def test_a_stopped_server_is_unavailable_and_nothing_else_is_said() -> None:
    images = S3ImageStore(settings_of(f"http://127.0.0.1:{free_port()}"))
    for ask in (images.get, images.exists, images.delete, lambda key: images.put(key, BytesIO(b"x"), WEBP)):
        with pytest.raises(ImagesUnavailableError, match=r"^Service unavailable: image store \(\w+\)$"):
            ask(KEY)
