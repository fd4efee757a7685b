"""Which store of images the settings want."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from integrations.images.filesystem import DirectoryImageStore
from integrations.images.s3 import S3ImageStore
from integrations.images.store import open_image_store
from integrations.settings import ImageSettings, Profile, Settings


def test_without_a_bucket_pictures_are_in_the_data_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert settings.images.folder == tmp_path / "images"
    assert isinstance(open_image_store(settings), DirectoryImageStore)


def test_a_bucket_that_is_named_is_used(tmp_path: Path) -> None:
    images = ImageSettings(bucket="pictures", region="eu-west-1")
    assert isinstance(open_image_store(Settings(data_dir=tmp_path, images=images)), S3ImageStore)


def test_production_needs_a_bucket(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="FITMONITOR_IMAGES__BUCKET"):
        Settings(profile=Profile.PRODUCTION, data_dir=tmp_path)
    neither = Settings(data_dir=tmp_path)
    neither.images.folder = None
    with pytest.raises(ValueError, match="FITMONITOR_IMAGES__BUCKET"):
        open_image_store(neither)
