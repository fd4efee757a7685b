"""The server of pictures of a full stack: found by what it tells, with its bucket, also after it has died."""

from io import BytesIO
from pathlib import Path

import pytest

from cluster.local.image_server import ImageServer
from cluster.local.ports import free_port
from integrations.images.s3 import S3ImageStore
from integrations.images.store import open_image_store
from integrations.settings import Profile, Settings


@pytest.mark.check
def test_pictures_are_kept_by_what_the_server_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ImageServer(tmp_path / "image-server.log", free_port())
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    images = open_image_store(Settings())
    assert isinstance(images, S3ImageStore)
    server.launch()
    try:
        server.wait()
        images.put("images/a/large", BytesIO(b"points"), "image/webp")
        assert images.exists("images/a/large")
        server.process.kill()
        server.launch()
        server.wait()
        assert not images.exists("images/a/large")
        images.put("images/a/large", BytesIO(b"points"), "image/webp")
    finally:
        server.process.stop()


def test_the_archive_is_kept_by_what_the_server_tells_unless_the_settings_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not any("ARCHIVE" in name for name in ImageServer(tmp_path / "log", 1).environment())
    for name, value in ImageServer(tmp_path / "log", 1, has_archive=True).environment().items():
        monkeypatch.setenv(name, value)
    archive = Settings(data_dir=tmp_path, profile=Profile.FULL).archive
    assert (archive.url, archive.endpoint_url) == ("s3://fitmonitor-archive/attendance", "http://127.0.0.1:1")
    monkeypatch.delenv("FITMONITOR_ARCHIVE__URL")
    assert Settings(data_dir=tmp_path, profile=Profile.FULL).archive.url == str(tmp_path / "archive")
